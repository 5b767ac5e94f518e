package upstream

import (
	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/redir/socket"
)

// CauseOf sorts an error of Dial.Connect, or of a handshake, by what an operator
// would do about it.
func CauseOf(err error) count.Counter {
	if _, ok := err.(SourceError); ok {
		return count.FailedSource
	}
	errno, ok := socket.ErrnoOf(err)
	if !ok {
		return count.FailedUpstreamOther
	}
	switch errno {
	case unix.ECONNREFUSED:
		return count.FailedUpstreamRefused
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN, unix.EHOSTDOWN, unix.ENODEV, unix.EACCES, unix.EPERM, unix.EINVAL:
		return count.FailedUpstreamUnreachable
	case unix.ETIMEDOUT:
		return count.FailedUpstreamTimeout
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EADDRNOTAVAIL, unix.EAGAIN:
		return count.FailedNoResource
	}
	return count.FailedUpstreamOther
}
