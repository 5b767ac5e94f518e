package tcp

import (
	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/redir/socket"
)

// refuse accepts what is queued, as far as there is room for it, and resets what
// comes later: a client learns at once that it has to go elsewhere.
func (l *listener) refuse() {
	if l.fd < 0 || l.refusing {
		return
	}
	l.takeAll()
	l.w.r.Cancel(&l.resume)
	l.dropSpare()
	l.pause, l.refusing = 0, true
	l.Ready(0) // what a pause left
}

// turnAway resets a share of the queue, and reports whether there may be more.
func (l *listener) turnAway() (more bool) {
	for range acceptsPerCall {
		fd, from, errno := socket.Accept(l.fd)
		switch errno {
		case 0:
			l.w.counters.Add(count.RefusedEnding, 1)
			if e := l.w.log.Line(count.RefusedEnding, l.w.r.Now()); e != nil {
				e.Str("inbound", l.in.Tag).Stringer("client", from).Msg("connection refused: sluice is about to end")
			}
			socket.Reset(fd)
		case unix.EAGAIN:
			return false
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EINVAL:
			l.pauseFor(count.AcceptPaused, errno)
			return false
		}
	}
	return true
}
