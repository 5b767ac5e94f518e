package splice

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below cannot block, since they pass MSG_DONTWAIT or work on non-blocking fds. So they go without the scheduler's
// bookkeeping (runtime.entersyscall), which a reactor would otherwise pay for twice per message. They never return EINTR
// to a caller: an interrupted call is made again.

// recv reads into buf, which is not empty. 0 without an errno is the end of the stream.
func recv(fd int, buf []byte) (int, syscall.Errno) {
	return retry(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), unix.MSG_DONTWAIT, 0, 0)
}

// send writes the front of buf and tells how many bytes the socket took. flags are added to MSG_DONTWAIT and MSG_NOSIGNAL.
func send(fd int, buf []byte, flags int) (int, syscall.Errno) {
	return retry(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)),
		uintptr(unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL|flags), 0, 0)
}

// splice moves up to n bytes from one fd to the other; one of them is a pipe.
func splice(from, to, n int) (int, syscall.Errno) {
	return retry(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), unix.SPLICE_F_NONBLOCK)
}

func shutdownWrite(fd int) syscall.Errno {
	_, errno := retry(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0, 0, 0, 0)
	return errno
}

// ioctlInt asks a question whose answer is a C int; 0 where the socket does not know it.
func ioctlInt(fd int, request uintptr) int {
	var answer int32
	if _, errno := retry(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&answer)), 0, 0, 0); errno != 0 {
		return 0
	}
	return int(answer)
}

// option is where getsockopt(2) answers, so that asking allocates nothing.
type option struct {
	value [16]byte // TCP_CA_NAME_MAX
	size  uint32
}

// text is an answer in characters; empty where the socket does not know the option.
func (o *option) text(fd, level, name int) []byte {
	o.size = uint32(len(o.value))
	if _, errno := retry(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&o.value)), uintptr(unsafe.Pointer(&o.size)), 0); errno != 0 {
		return nil
	}
	return o.value[:o.size]
}

// number is an answer that is a C int; 0 where the socket does not know the option.
func (o *option) number(fd, level, name int) int {
	if answer := o.text(fd, level, name); len(answer) >= 4 {
		return int(int32(binary.NativeEndian.Uint32(answer)))
	}
	return 0
}

// retry makes the call until no signal interrupts it. The pragma below keeps what the addresses point to alive, and on the
// heap, where it does not move while this function's stack may.
//
//go:uintptrescapes
func retry(trap, a1, a2, a3, a4, a5, a6 uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.RawSyscall6(trap, a1, a2, a3, a4, a5, a6)
		if errno == 0 {
			return int(n), 0
		}
		if errno != unix.EINTR {
			return 0, errno
		}
	}
}
