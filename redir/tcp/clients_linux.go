package tcp

import (
	"errors"
	"net/netip"
	"time"

	"sluice/redir/admit"
	"sluice/redir/count"
)

const (
	// dialPatience is how long a dial is left alone before a newer connection of
	// its client may take its place: the first SYN was sent again after one second
	// and after three (tcp_syn_retries in tcp(7)), and nobody answered.
	dialPatience = int64(3500 * time.Millisecond)
	// dialLooks bounds how many dials, the oldest first, are looked at for one.
	dialLooks = 64
)

var errReplaced = errors.New("a newer connection of its client took its place")

// account takes a connection and its dial for a client. Where the client has as
// many as it may, its oldest dial without an answer gives way, if there is one on
// this worker; else the answer is nil, and told.
func (l *listener) account(from, dest netip.AddrPort) *admit.Client {
	w, now := l.w, l.w.r.Now()
	pace := l.pressure.came(from.Addr(), now)
	of, refusal := w.shared.clients.Connect(from.Addr(), now, pace)
	switch refusal.Cause {
	case 0:
		return of
	case count.RefusedClientRate:
		l.pressure.refused(from.Addr(), now)
	default:
		if !w.replaceDial(refusal.Of, now) {
			break
		}
		if of, refusal = w.shared.clients.Connect(from.Addr(), now, pace); of != nil {
			return of
		}
	}
	w.counters.Add(refusal.Cause, 1)
	if e := w.log.Warn(refusal.Cause, now); e != nil { // the arguments would be allocated also for nil
		e.Str("inbound", l.in.Tag).Stringer("client", from).Stringer("dest", dest).Stringer("of", refusal.Of).
			Int("bound", refusal.Bound).Str("flag", refusal.Flag()).Msg("connection refused: its client has as many as it may")
	}
	return nil
}

// replaceDial ends the oldest dial of a client, or a network of them, that has waited
// for its answer long enough, and reports whether there was one.
func (w *Worker) replaceDial(of netip.Prefix, now int64) bool {
	c := w.conns.dialing.tail
	for range dialLooks {
		if c == nil || now-c.active < dialPatience {
			return false
		}
		if of.Contains(c.of.Addr()) {
			c.fail(count.DialsReplaced, errReplaced)
			return true
		}
		c = c.prev
	}
	return false
}
