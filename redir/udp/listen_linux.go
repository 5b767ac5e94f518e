package udp

import (
	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/socket"
	"sluice/redir/upstream"
)

// listenerBuffer is the receive buffer of a listener, in bytes: the kernel
// counts a run of 64 KiB at up to twice that, and its default holds three.
const listenerBuffer = 2 << 20

// listener is one of a worker's sockets of an inbound, for one family.
type listener struct {
	w       *Worker
	in      *inbound.Inbound
	fd      int // -1: closed
	backlog backlog
}

// Listen takes over a bound socket of in. On error fd stays the
// caller's.
func (w *Worker) Listen(fd int, in *inbound.Inbound) error {
	if err := prepareListener(fd, listenerBuffer, in); err != nil {
		return err
	}
	if err := w.icmp.open(); err != nil {
		return err
	}
	l := &listener{w: w, in: in, fd: fd}
	if err := w.r.Add(fd, loop.Readable, l); err != nil {
		return err
	}
	w.listeners = append(w.listeners, l)
	return nil
}

// prepareListener has a bound socket tell where datagrams were going, and take
// runs.
func prepareListener(fd, buffer int, in *inbound.Inbound) error {
	addr, err := socket.LocalAddr(fd)
	if err != nil {
		return err
	}
	original := socket.Option{Name: "IP_RECVORIGDSTADDR", Level: unix.SOL_IP, Opt: unix.IP_RECVORIGDSTADDR, Value: 1}
	if addr.Addr().Is6() {
		original = socket.Option{Name: "IPV6_RECVORIGDSTADDR", Level: unix.SOL_IPV6, Opt: unix.IPV6_RECVORIGDSTADDR, Value: 1}
	}
	if err := socket.SetOptions(fd, []socket.Option{original}); err != nil {
		return err
	}
	unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1) // Linux 5.0; without it, datagrams come singly
	socket.SetReceiveBuffer(fd, buffer)
	if in.Path.TOS.Copy {
		upstream.ReportTOS(fd, addr.Addr().Is6(), true)
	}
	return nil
}

// Unlisten closes the listeners of in. Its flows go on.
func (w *Worker) Unlisten(in *inbound.Inbound) {
	kept := w.listeners[:0]
	for _, l := range w.listeners {
		if l.in == in {
			l.Ready(0) // what waits in the queue would be lost by the close
			l.close()
		} else {
			kept = append(kept, l)
		}
	}
	clear(w.listeners[len(kept):])
	w.listeners = kept
}

// FinishListening closes all listeners, for a process that has a copy of each.
// Flows go on, but for those that have no socket: their replies come to that
// process.
func (w *Worker) FinishListening() {
	for _, l := range w.listeners {
		l.Ready(0) // what waits in the queue would be lost by the close
		l.close()
	}
	w.listeners = nil
	for _, l := range w.returns {
		l.Ready(0)
		l.close()
	}
	w.returns = nil
	w.endSourced()
}

// Listeners are the fds of those that are open, to be shown to another process.
func (w *Worker) Listeners() (fds []int) {
	for _, l := range w.listeners {
		fds = append(fds, l.fd)
	}
	for _, l := range w.returns {
		l.share()
		fds = append(fds, l.fd)
	}
	return fds
}

func (l *listener) close() {
	if l.fd >= 0 {
		l.w.r.Forget(l.fd) // another process may have the socket too, and then close does not end its edges (epoll(7))
		l.w.r.Close(l.fd)
		l.fd = -1
	}
}

// Ready receives what the listener has. A full batch is sent at once, and the
// rest waits for the next turn.
func (l *listener) Ready(loop.Events) {
	if l.fd < 0 {
		return
	}
	w := l.w
	q := &w.toUpstream
	first := q.used
	n, errno := q.slots.Recv(l.fd, first)
	if errno != 0 {
		return
	}
	q.used += n
	asked := w.gate.asked
	for i := first; i < q.used; i++ {
		q.slots.Message(i, &q.messages[i])
		w.takeFromClient(l.in, int32(i))
	}
	full := q.used == q.slots.Len()
	behind := l.backlog.received(w.r.Now(), full) && (w.gate.asked-asked)*freshShare >= uint64(n)
	if w.gate.tell(w.r.Now(), behind) {
		w.log.Line(count.DroppedFlood, w.r.Now()).Str("inbound", l.in.Tag).
			Msg("more new UDP sessions than can be opened beside those that are there; some of them are not")
	}
	if full {
		w.flushUpstream()
		w.r.Again(l.fd)
	}
}

// takeFromClient admits what slot has received and puts it into its flow's
// group.
func (w *Worker) takeFromClient(in *inbound.Inbound, slot int32) {
	q := &w.toUpstream
	m := &q.messages[slot]
	switch {
	case m.Truncated:
		w.counters.Add(count.DroppedTruncated, 1)
	case !m.Dest.IsValid():
		w.counters.Add(count.DroppedNoDest, 1)
	case m.Source.Port() == 0:
		w.refuse(count.RefusedPortZero, in, m)
	default:
		if m.Dest != q.lastDest || in != q.lastDestIn || w.routed && m.Source != q.lastDestOf {
			q.choose(w, in, m)
		}
		w.takeChosen(in, slot)
	}
}

// takeChosen puts what slot has received, for which a choice was made, into its
// flow's group.
func (w *Worker) takeChosen(in *inbound.Inbound, slot int32) {
	q := &w.toUpstream
	m := &q.messages[slot]
	if q.last.refusal != 0 {
		w.refuse(q.last.refusal, in, m)
		return
	}
	e := w.entryOf(in, m)
	if e == nil {
		return
	}
	f := e.Value
	if !f.other.Load() && !f.asks(m.Dest) && f.other.CompareAndSwap(false, true) {
		w.shared.table(f).SetTimeouts(e, timeoutsOf(in, false))
	}
	if f.echoes(m) && !f.echo.passes(w.r.Now(), m.Datagrams()) {
		w.dropped(count.DroppedEcho, m.Datagrams(), m.Source, m.Dest, errEcho)
		return
	}
	if s := w.shared.shaper(f); s != nil && !w.police(&s.Up, m) {
		return
	}
	f.up.add(m)
	if f.isSourced() {
		w.takeToOutlet(f, slot)
	} else {
		q.append(e, slot)
	}
}

func (w *Worker) refuse(cause count.Counter, in *inbound.Inbound, m *loop.Received) {
	w.counters.Add(cause, 1)
	if e := w.log.Line(cause, w.r.Now()); e != nil { // the arguments would be allocated also for nil
		e.Str("inbound", in.Tag).Stringer("client", m.Source).Stringer("dest", m.Dest).Msg("datagram refused")
	}
}

// entryOf returns the client's flow, which it opens if there is none; nil when
// that fails, or too many are opened already.
func (w *Worker) entryOf(in *inbound.Inbound, m *loop.Received) *nat.Entry[*flow] {
	q := &w.toUpstream
	scope := m.SourceScope ^ q.last.variant
	if q.lastEntry != nil && m.Source == q.lastSource && in == q.lastIn && scope == q.lastScope {
		return q.lastEntry
	}
	key := nat.KeyOf(m.Source, scope, in.ID)
	e := w.lookup(key, q.last.way)
	other := e == nil
	if other {
		e = w.goesOn(in, m)
	}
	if e != nil {
		// At once, and before it is used: an entry that expires in this turn
		// would take the reply with it.
		e.Touch(w.r.Now())
	}
	if e == nil || e.Removed() {
		if e = w.begin(key, in, m); e == nil {
			return nil
		}
		other = false
	}
	if e.Value.unseen {
		e.TouchReply(w.r.Now())
	}
	if other { // another destination's may be by the way that was chosen
		return e
	}
	q.lastIn, q.lastSource, q.lastScope, q.lastEntry = in, m.Source, scope, e
	return e
}
