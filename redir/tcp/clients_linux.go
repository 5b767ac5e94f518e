package tcp

import (
	"errors"
	"net/netip"
	"time"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/socket"
)

const (
	// dialPatience is how long a dial is left alone before a newer connection of
	// its client may take its place: the first SYN was sent again after one second
	// and after three (tcp_syn_retries in tcp(7)), and nobody answered.
	dialPatience = int64(3500 * time.Millisecond)
	// dialLooks bounds how many dials, the oldest first, are looked at for one
	// connection.
	dialLooks = 16
)

var errReplaced = errors.New("a newer connection of its client took its place")

// account takes a connection and its dial for a client. Where the client has as
// many as it may, its older dials on this worker give way; else the answer is nil,
// and told.
func (l *listener) account(from, dest netip.AddrPort) *admit.Client {
	w, now := l.w, l.w.r.Now()
	pace := l.pressure.came(from.Addr(), now)
	of, refusal := w.shared.clients.Connect(from.Addr(), now, pace)
	room := false
	switch refusal.Cause {
	case 0:
		return of
	case count.RefusedClientConnects:
		l.pressure.refused(from.Addr(), now)
	case count.RefusedClientDials:
		room = w.settleDials(refusal.Of) || w.endOldDial(refusal.Of, now)
	case count.RefusedClientConns:
		room = w.endOldDial(refusal.Of, now)
	}
	if room {
		if of, refusal = w.shared.clients.Connect(from.Addr(), now, pace); of != nil {
			return of
		}
	}
	w.counters.Add(refusal.Cause, 1)
	if e := w.log.Line(refusal.Cause, now); e != nil { // the arguments would be allocated also for nil
		e.Str("inbound", l.in.Tag).Stringer("client", from).Stringer("dest", dest).Stringer("of", refusal.Of).
			Int("bound", refusal.Bound).Str("flag", refusal.Flag()).Msg("connection refused: its client has as many as it may")
	}
	return nil
}

// settleDials ends those of the oldest dials of a client, or a network of them,
// whose upstream has answered, which the reactor has not come to yet: a burst of
// connections is no reason to refuse any. It reports whether there were some.
func (w *Worker) settleDials(of netip.Prefix) (some bool) {
	c := w.conns.dialing.tail
	for looks := 0; c != nil && looks < dialLooks; looks++ {
		next := c.prev
		if of.Contains(c.of.Addr()) && c.settle() {
			some = true
		}
		c = next
	}
	return some
}

// settle goes on with a dial whose upstream has answered, and reports whether that
// has ended it.
func (c *conn) settle() bool {
	dialed := c.state.dials()
	if c.state == dialing && c.upstream.fd >= 0 && !socket.HasNoPeer(c.upstream.fd) {
		c.dialEdge(&c.upstream, loop.Writable)
	}
	if c.state == greeting && socket.HasInput(c.upstream.fd) {
		c.greetEdge(&c.upstream, loop.Readable)
	}
	return dialed && !c.state.dials()
}

// endOldDial ends the oldest dial of a client, or a network of them, if it has
// waited for its answer long enough, and reports whether it did.
func (w *Worker) endOldDial(of netip.Prefix, now int64) bool {
	c := w.conns.dialing.tail
	for looks := 0; c != nil && looks < dialLooks && now-c.active >= dialPatience; looks++ {
		if of.Contains(c.of.Addr()) {
			c.fail(count.DialsReplaced, errReplaced)
			return true
		}
		c = c.prev
	}
	return false
}
