package redir

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// causeOf sorts an error of connect(2) by what an operator would do about it.
func causeOf(err error) Counter {
	errno, ok := errnoOf(err)
	if !ok {
		return FailedUpstreamOther
	}
	switch errno {
	case unix.ECONNREFUSED:
		return FailedUpstreamRefused
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.EACCES, unix.EPERM, unix.EINVAL:
		return FailedUpstreamUnreachable
	case unix.ETIMEDOUT:
		return FailedUpstreamTimeout
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EADDRNOTAVAIL, unix.EAGAIN:
		return FailedNoResource
	}
	return FailedUpstreamOther
}

// hasInput reports whether fd has received bytes that were not yet read.
func hasInput(fd int) bool {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	return err == nil && n > 0
}

// hasFailed reports whether fd was reset or shut both ways.
func hasFailed(fd int) bool {
	poll := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n > 0 && poll[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0
}

// socketError takes the pending error of fd, 0 for none.
func socketError(fd int) syscall.Errno {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return unix.EIO
	}
	return syscall.Errno(n)
}

// errnoOf finds the errno in err.
func errnoOf(err error) (syscall.Errno, bool) {
	switch e := err.(type) {
	case syscall.Errno:
		return e, true
	case interface{ Unwrap() error }:
		return errnoOf(e.Unwrap())
	}
	return 0, false
}
