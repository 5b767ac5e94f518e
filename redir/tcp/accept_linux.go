package tcp

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/socket"
)

const (
	// acceptsPerCall bounds how many connections one listener takes before
	// others have their turn, so that a burst of them does not hold up those
	// that run.
	acceptsPerCall = 64
	// Accepting pauses for pauseFirst when a resource has run out, and twice
	// as long each time that it still is, up to pauseMost.
	pauseFirst = 10 * time.Millisecond
	pauseMost  = time.Second
)

// listener is one worker's socket of an inbound.
type listener struct {
	w      *Worker
	in     *inbound.Inbound
	fd     int
	family int
	// spare is a socket for the next connection's upstream, -1 for none. It is
	// made before the connection is accepted: when fds run out, clients wait in
	// the kernel's queue instead of being accepted and reset.
	spare    int
	pause    time.Duration // 0: accepting
	resume   loop.Timer
	pressure pressure
	since    int64 // ns of Reactor.Now: when something ran out; 0: nobody waits for it
	served   int64 // the same: when a connection was accepted last
	refusing bool  // what is accepted is reset
}

// Listen takes over a listening socket of in. On error fd stays the caller's.
func (w *Worker) Listen(fd int, in *inbound.Inbound) error {
	local, err := socket.LocalAddr(fd)
	if err != nil {
		return err
	}
	l := &listener{w: w, fd: fd, family: socket.Family(local.Addr()), spare: -1}
	if err := w.r.Add(fd, loop.Readable, l); err != nil {
		return err
	}
	w.listeners = append(w.listeners, l)
	l.setCongestion(w.set.ClientCongestion)
	l.relabel(in)
	return nil
}

// setCongestion is inherited by the connections that are accepted from here on.
// Whether it may be set was found out before.
func (l *listener) setCongestion(name string) {
	if name != "" && l.fd >= 0 {
		socket.SetText(l.fd, unix.SOL_TCP, unix.TCP_CONGESTION, name)
	}
}

// Ready accepts until the queue is empty, its share is taken, or something has
// run out.
func (l *listener) Ready(loop.Events) {
	if l.fd >= 0 && !l.resume.Armed() && l.take() {
		l.w.r.Again(l.fd)
	}
}

// take accepts a share of the queue, and reports whether there may be more.
func (l *listener) take() (more bool) {
	if l.refusing {
		return l.turnAway()
	}
	inVain := 0 // times that something was given up, and did not help
	for range acceptsPerCall {
		if cause, why := l.w.shared.full(); cause != 0 && !l.makeWay(false) {
			l.wait(cause, why)
			return false
		}
		fd, from, errno := l.accept()
		switch errno {
		case 0:
			l.pause, l.served, inVain = 0, l.w.r.Now(), 0
			l.start(fd, from)
		case unix.EAGAIN:
			l.pressure.emptied()
			l.emptied()
			return false
		case unix.ECONNABORTED, unix.EINTR, unix.EPERM, unix.EPROTO, unix.ENETDOWN, unix.ENOPROTOOPT,
			unix.EHOSTDOWN, unix.ENONET, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH:
			// The connection ended before it was accepted, or a network error
			// is passed on (accept(2)): take the next.
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			if inVain == mostInVain || !l.makeWay(true) {
				l.wait(count.AcceptPaused, errno)
				return false
			}
			inVain++
		default:
			// It will not pass by itself: a listener that `ss -K` ended says EINVAL.
			l.pauseFor(count.AcceptPaused, errno)
			return false
		}
	}
	l.pressure.left(l.w.r.Now())
	return true
}

// finish accepts what is queued, as far as there is room for it, and then stops:
// close would reset clients whose connections the kernel has already accepted.
func (l *listener) finish() {
	if l.fd >= 0 {
		l.takeAll()
		l.close()
	}
}

// takeAll empties the queue.
func (l *listener) takeAll() {
	for range socket.Backlog/acceptsPerCall + 1 { // those that come meanwhile do not keep it from ending
		if !l.take() {
			return
		}
	}
}

// accept takes a connection from the queue once there is a socket for its
// upstream.
func (l *listener) accept() (fd int, from netip.AddrPort, errno syscall.Errno) {
	if l.spare < 0 {
		spare, errno := socket.New(l.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if errno != 0 {
			return -1, from, errno
		}
		l.spare = spare
	}
	return socket.Accept(l.fd)
}

// emptied notes that nobody waits any more. Where those that did were refused,
// the next is refused too, until one was served.
func (l *listener) emptied() {
	if l.since > 0 && l.served >= l.since {
		l.since = 0
		l.w.shared.wanted.Store(0)
	}
}

// makeWay gives up something for the client that waits longest, if there is one,
// and reports whether it did.
func (l *listener) makeWay(kept bool) bool {
	queued := socket.Queued(l.fd)
	if queued == 0 {
		return false
	}
	if l.w.makeWay(kept) {
		return true
	}
	l.w.shared.wanted.Store(int64(min(queued, waysForOthers)))
	return false
}

// wait has clients wait while something has run out or, where that has lasted,
// refuses them.
func (l *listener) wait(cause count.Counter, why error) {
	if socket.Queued(l.fd) == 0 {
		l.emptied()
		return
	}
	now := l.w.r.Now()
	if l.since == 0 {
		l.since = now
	}
	if now-l.since < refuseAfter {
		l.pauseFor(cause, why)
		return
	}
	l.refuseQueued(why)
}

// refuseQueued resets a share of those that wait.
func (l *listener) refuseQueued(why error) {
	w, cause := l.w, count.RefusedScarce
	if why == errMemoryShort {
		cause = count.RefusedPressure
	}
	l.dropSpare()
	w.reserve.giveUp()
	pause := refusePause
	for n := 0; ; n++ {
		if n == acceptsPerCall {
			pause = pauseFirst
			break
		}
		fd, from, errno := socket.Accept(l.fd)
		if errno != 0 {
			break
		}
		w.counters.Add(cause, 1)
		socket.Reset(fd)
		if e := w.log.Line(cause, w.r.Now()); e != nil {
			e.Str("inbound", l.in.Tag).Stringer("client", from).Err(why).
				Int64("conns", w.shared.conns.Load()).Msg("connection refused: nothing was free for long")
		}
	}
	w.reserve.take()
	w.r.Arm(&l.resume, l, pause)
}

// pauseFor stops accepting for a while; clients wait in the kernel's queue.
func (l *listener) pauseFor(cause count.Counter, why error) {
	l.pause = min(max(2*l.pause, pauseFirst), pauseMost)
	l.w.counters.Add(cause, 1)
	l.w.log.Line(cause, l.w.r.Now()).Str("inbound", l.in.Tag).Err(why).Dur("pause", l.pause).
		Int64("conns", l.w.shared.conns.Load()).Msg("accepting paused")
	l.w.r.Arm(&l.resume, l, l.pause)
}

// Expired ends a pause.
func (l *listener) Expired(int64) { l.Ready(0) }

// close stops accepting. Connections in the kernel's queue are reset by it.
func (l *listener) close() {
	if l.fd < 0 {
		return
	}
	l.w.r.Cancel(&l.resume)
	l.w.r.Forget(l.fd) // another process may have the socket too, and then close does not end its edges (epoll(7))
	l.w.r.Close(l.fd)
	l.fd = -1
	l.dropSpare()
}

// dropSpare gives the spare socket back; the next connection makes another.
func (l *listener) dropSpare() {
	if l.spare >= 0 {
		unix.Close(l.spare)
		l.spare = -1
	}
}
