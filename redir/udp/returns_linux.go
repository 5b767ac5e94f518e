package udp

import (
	"errors"
	"net/netip"
	"slices"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
)

const (
	// returnBuffer is the receive buffer of a return listener, in bytes. The kernel
	// spreads replies over those of all workers by the remote alone, so all that a
	// busy remote writes comes to one.
	returnBuffer = 8 << 20
	// mostOrigins bounds the kinds of sessions that a reply is looked up for.
	mostOrigins = 32
)

// errNoSession says why a reply went no further.
var errNoSession = errors.New("its client has no session, or has one no more")

// returnListener receives what remotes write to clients whose address they see:
// the source of each datagram is the remote, its original destination the client.
// It belongs to one worker, and takes what is for sessions of any inbound.
type returnListener struct {
	w  *Worker
	in *inbound.Inbound
	fd int // -1: closed
	// until is when all replies are to sessions of this process (ns of Reactor.Now).
	until int64

	// What the last datagram's session was: those of a run of datagrams are alike.
	lastClient, lastRemote netip.AddrPort
	lastEntry              *nat.Entry[*flow]
}

// ListenReturns takes over a bound transparent socket for replies to clients of
// in. On error fd stays the caller's.
func (w *Worker) ListenReturns(fd int, in *inbound.Inbound) error {
	if err := prepareListener(fd, returnBuffer, in); err != nil {
		return err
	}
	l := &returnListener{w: w, in: in, fd: fd}
	if in.Followed {
		l.share()
	}
	if err := w.r.Add(fd, loop.Readable, l); err != nil {
		return err
	}
	w.returns = append(w.returns, l)
	return nil
}

// UnlistenReturns closes the return listeners of in.
func (w *Worker) UnlistenReturns(in *inbound.Inbound) {
	w.returns = slices.DeleteFunc(w.returns, func(l *returnListener) bool {
		if l.in != in {
			return false
		}
		l.Ready(0) // what waits in the queue would be lost by the close
		l.close()
		return true
	})
}

// share notes that another process has the socket too, or had: replies to its
// sessions come here as well, and are passed on until they all have ended.
func (l *returnListener) share() { l.until = l.w.r.Now() + l.in.FlowTimeout }

func (l *returnListener) close() {
	if l.fd >= 0 {
		l.w.r.Forget(l.fd) // as listener.close
		l.w.r.Close(l.fd)
		l.fd = -1
	}
}

// origin is what sessions that bear their clients' addresses have in common, so that
// they are found again by what a remote writes.
type origin struct {
	inbound  uint16 // its ID
	mark     uint32 // of the outbound; of a forward, the variant
	from, to uint16 // the client's port of remotes, and their own, where the way has one; else 0
	named    bool   // they are for one destination each
}

// originOf is that of a session which m begins, and which is sent to to.
func (w *Worker) originOf(way *outbound.Way, m *loop.Received, to netip.AddrPort) origin {
	if way.In.Kind == inbound.Direct {
		return origin{inbound: way.In.ID, mark: w.toUpstream.last.variant}
	}
	t := w.toUpstream.last.trait
	o := origin{inbound: way.In.ID, mark: t.mark, named: t.named}
	if way.Port != 0 && to.Port() != m.Dest.Port() {
		o.from, o.to = m.Dest.Port(), to.Port()
	}
	return o
}

// addOrigin notes one of sessions by forwards, or others. It is kept when these are
// gone.
func (s *Shared) addOrigin(o origin, forward bool) {
	origins := &s.origins
	if forward {
		origins = &s.forwards
	}
	for {
		known := origins.Load()
		if slices.Contains(*known, o) {
			return
		}
		more := append(slices.Clone(*known), o)
		more = more[max(0, len(more)-mostOrigins):]
		if origins.CompareAndSwap(known, &more) {
			return
		}
	}
}

// Ready receives what remotes wrote. A full batch is sent at once, and the rest
// waits for the next turn.
func (l *returnListener) Ready(loop.Events) {
	if l.fd < 0 {
		return
	}
	w := l.w
	q := &w.toClient
	first := q.used
	n, errno := q.slots.Recv(l.fd, first)
	if errno != 0 {
		return
	}
	q.used += n
	for i := first; i < q.used; i++ {
		q.slots.Message(i, &q.messages[i])
		l.take(int32(i))
	}
	l.lastEntry = nil // it may be removed until the next turn
	if n > 1 {
		w.r.NotLone()
	}
	if q.used == q.slots.Len() {
		w.flushClient()
		w.r.Again(l.fd)
	}
}

// take finds the session of what slot has received, and queues it.
func (l *returnListener) take(slot int32) {
	w := l.w
	m := &w.toClient.messages[slot]
	if m.Truncated {
		w.counters.Add(count.DroppedTruncated, 1)
		return
	}
	if !m.Dest.IsValid() {
		w.counters.Add(count.DroppedNoDest, 1)
		return
	}
	var f *flow
	if e := l.entryOf(m.Dest, m.Source); e != nil {
		e.TouchReply(w.r.Now())
		f = e.Value
	} else if w.r.Now() >= l.until {
		w.dropped(count.DroppedReply, m.Datagrams(), m.Dest, m.Source, errNoSession)
		return
	}
	w.takeFromUpstream(f, slot)
}

// entryOf returns the session of a client to which a remote has written; nil where
// there is none.
func (l *returnListener) entryOf(client, remote netip.AddrPort) *nat.Entry[*flow] {
	if l.lastEntry != nil && l.lastClient == client && l.lastRemote == remote {
		return l.lastEntry
	}
	l.lastClient, l.lastRemote, l.lastEntry = client, remote, l.w.sourcedOf(client, remote, l.in.ID)
	return l.lastEntry
}

// sourcedOf returns the session that bears a client's address and that a remote
// belongs to: that of a forward which leads there first, then one that is for the
// remote alone, that of one inbound before those of others; nil where there is none.
func (w *Worker) sourcedOf(client, remote netip.AddrPort, first uint16) *nat.Entry[*flow] {
	if e := w.forwardOf(client, remote); e != nil {
		return e
	}
	var best *nat.Entry[*flow]
	isFirst := false
	origins := *w.shared.origins.Load()
	for i := range origins {
		o := &origins[i]
		e := w.sessionOf(client, remote, o)
		switch {
		case e == nil:
		case o.named: // it is for this remote alone
			return e
		case best == nil || o.inbound == first && !isFirst:
			best, isFirst = e, o.inbound == first
		}
	}
	return best
}

// forwardOf is the session by a forward that leads to remote and bears a client's
// address.
func (w *Worker) forwardOf(client, remote netip.AddrPort) *nat.Entry[*flow] {
	for _, o := range *w.shared.forwards.Load() {
		e := w.shared.sourced.Lookup(nat.KeyOf(client, o.mark, o.inbound))
		if e != nil && e.Value.view.dest == remote {
			return e
		}
	}
	return nil
}

// sessionOf is the session of an origin that bears a client's address, the one
// whose mapped port the remote's is before the one of unmapped ports.
func (w *Worker) sessionOf(client, remote netip.AddrPort, o *origin) *nat.Entry[*flow] {
	if o.to != 0 {
		if o.to != remote.Port() {
			return nil
		}
		return w.sourcedSession(client, remote, o, o.from)
	}
	for _, from := range w.set.Ports.UDPFrom(remote.Port()) {
		if e := w.sourcedSession(client, remote, o, from); e != nil {
			return e
		}
	}
	return w.sourcedSession(client, remote, o, remote.Port())
}

// sourcedSession is that of an origin whose client knows the remote by the port
// from.
func (w *Worker) sourcedSession(client, remote netip.AddrPort, o *origin, from uint16) *nat.Entry[*flow] {
	variant := o.mark
	switch {
	case o.named:
		variant = namedVariant(netip.AddrPortFrom(remote.Addr(), from))
	case from != remote.Port():
		variant ^= mapVariant(from, remote.Port())
	}
	return w.shared.sourced.Lookup(nat.KeyOf(client, variant, o.inbound))
}
