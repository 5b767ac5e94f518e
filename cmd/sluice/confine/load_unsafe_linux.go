package confine

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// load makes the program the filter of every thread, those that started before
// included (seccomp(2) SECCOMP_FILTER_FLAG_TSYNC, Linux 3.17). Before Linux 5.16 a
// filter slowed speculation down as well, for programs that run code of others,
// which sluice does not (SECCOMP_FILTER_FLAG_SPEC_ALLOW, Linux 4.17).
func load(program []bpf.RawInstruction) error {
	filters := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filters[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	whole := unix.SockFprog{Len: uint16(len(filters)), Filter: &filters[0]}
	var errno syscall.Errno
	for _, flags := range []uintptr{unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, unix.SECCOMP_FILTER_FLAG_TSYNC} {
		var behind uintptr // the thread that could not be made to follow
		behind, _, errno = unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&whole)))
		if errno == 0 && behind != 0 {
			errno = unix.ESRCH
		}
		if errno != unix.EINVAL {
			break
		}
	}
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	return nil
}
