package inject

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// notice is struct seccomp_notif of linux/seccomp.h.
type notice struct {
	id    uint64
	pid   uint32
	flags uint32
	call  int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// answer is struct seccomp_notif_resp.
type answer struct {
	id    uint64
	value int64
	errno int32 // negative
	flags uint32
}

// goOn is SECCOMP_USER_NOTIF_FLAG_CONTINUE, which x/sys lacks.
const goOn = 1

// install puts program on the calling thread, and on what it starts, for good.
// It returns the fd at which its notices are read.
func install(program []unix.SockFilter) (int, error) {
	f := unix.SockFprog{Len: uint16(len(program)), Filter: unsafe.SliceData(program)}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&f)))
	if errno != 0 {
		return -1, os.NewSyscallError("seccomp", errno)
	}
	return int(fd), nil
}

func receive(fd int, n *notice) error {
	*n = notice{} // the kernel refuses one that is not zero
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(n)))
	if errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}

func reply(fd int, a *answer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(a)))
	if errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}
