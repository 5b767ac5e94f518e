package loop

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls in this file block for ten milliseconds at most, so they go to the
// kernel without telling the scheduler (RawSyscall).

// epollWait is epoll_pwait(2); timeout in milliseconds.
func epollWait(epfd int, events []unix.EpollEvent, timeout uint) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(timeout), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// kernelTimespec is struct __kernel_timespec, of 64 bits a field on every
// architecture, as unix.Timespec is not.
type kernelTimespec struct{ sec, nsec int64 }

// epollWaitExactly is epoll_pwait2(2), of Linux 5.11; timeout in nanoseconds.
func epollWaitExactly(epfd int, events []unix.EpollEvent, timeout int64) (int, syscall.Errno) {
	ts := kernelTimespec{timeout / 1e9, timeout % 1e9}
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd),
		uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func epollCtl(epfd, op, fd int, ev *unix.EpollEvent) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(ev)), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// closeFD is close(2) of a socket that does not linger.
func closeFD(fd int) { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }
