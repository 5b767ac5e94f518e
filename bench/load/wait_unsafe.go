//go:build linux

package load

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// waiter waits for readable descriptors, by the nanosecond (epoll_pwait2(2), Linux
// 5.11). One goroutine, locked to its thread, owns it.
type waiter struct {
	fd     int
	events [256]unix.EpollEvent
}

func newWaiter() (*waiter, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// By default the kernel lets a sleep last 50 microseconds longer (prctl(2)).
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // a coarser pace is all that is lost
	return &waiter{fd: fd}, nil
}

// add waits for a descriptor too; wait gives its tag.
func (w *waiter) add(fd int, tag int32) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: tag}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, fd, &ev))
}

// wait returns the events of what is readable within d; none after d, or when a
// signal came.
func (w *waiter) wait(d time.Duration) []unix.EpollEvent {
	ts := unix.NsecToTimespec(int64(max(d, 0)))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(w.fd), uintptr(unsafe.Pointer(&w.events[0])),
		uintptr(len(w.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if errno == unix.ENOSYS {
		ms := int((d + time.Millisecond - 1) / time.Millisecond)
		if m, err := unix.EpollWait(w.fd, w.events[:], ms); err == nil {
			return w.events[:m]
		}
		return nil
	}
	if errno != 0 {
		return nil
	}
	return w.events[:n]
}

func (w *waiter) close() { _ = unix.Close(w.fd) }
