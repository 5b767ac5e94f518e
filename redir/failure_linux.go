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

// tcpClose is TCP_CLOSE of the kernel's include/net/tcp_states.h.
const tcpClose = 7

// hasFailed reports whether the connection of fd is gone: reset, or given up.
// poll(2) cannot tell, since a socket that was shut both ways in peace reports
// POLLHUP too, and may still have bytes to deliver.
func hasFailed(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
	return err != nil || info.State == tcpClose
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
