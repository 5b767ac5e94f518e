package udp

import (
	"net/netip"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/icmp"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/route"
)

// choice is what is found of a datagram before its session is looked up.
type choice struct {
	refusal count.Counter // 0: none
	way     *outbound.Way // nil: it is not known yet
	trait   trait
	variant uint32 // that of both
}

// choose finds where a datagram goes, as far as itself tells that.
func (w *Worker) choose(in *inbound.Inbound, m *loop.Received) (c choice) {
	way, needsName := w.decide(in, m, "", false)
	if needsName {
		c.trait.named = true
	} else {
		c.way = carrying(way)
		c.trait = traitOf(c.way)
	}
	c.refusal, c.variant = w.admits(in, m.Dest, c.trait.port), w.variant(in, m.Dest, c.trait)
	return c
}

// decide asks the rules about what begins with m; with named, name is all that will
// be known of it.
func (w *Worker) decide(in *inbound.Inbound, m *loop.Received, name string, named bool) (way *outbound.Way, needsName bool) {
	if !w.routed {
		return w.finalOf(in), false
	}
	f := &w.deciding
	*f = route.Flow{Network: route.UDP, Client: m.Source, Dest: m.Dest, Name: name, Named: named}
	if in.Kind == inbound.Direct {
		if all := in.Dests.For(m.Source.Addr(), in.Path.Source.OfClients()); len(all) > 0 {
			f.Dest = all[0]
		}
	}
	return w.set.Router.Decide(in, f)
}

// finalOf is the way of an inbound's flows that no rule is for.
func (w *Worker) finalOf(in *inbound.Inbound) *outbound.Way {
	if w.finalIn != in {
		w.finalIn, w.final = in, w.set.Router.Way(in, route.Final)
	}
	return w.final.Now()
}

// carrying is the way that datagrams take: an HTTP proxy carries none, but its
// fallback may.
func carrying(way *outbound.Way) *outbound.Way {
	for way.Out.Kind == outbound.HTTP && way.Fallback != nil {
		way = way.Fallback.Now()
	}
	return way
}

// usable is the way that a session takes which begins now: a fallback where a server
// is down, nil where all are.
func (w *Worker) usable(way *outbound.Way) *outbound.Way {
	for {
		way = carrying(way)
		if way.Out.Kind != outbound.Socks || way.Out.Usable(w.r.Now()) {
			return way
		}
		if way.Fallback == nil {
			return nil
		}
		way = way.Fallback.Now()
	}
}

// release takes a datagram that has waited for the name of its flow, "" where there
// is none. Payload is to stay valid until flushUpstream.
func (w *Worker) release(in *inbound.Inbound, m *loop.Received, name string) {
	c := w.choose(in, m)
	if c.trait.named {
		way, _ := w.decide(in, m, name, true)
		c.way = carrying(way)
		c.refusal = w.admits(in, m.Dest, c.way.Port)
	}
	w.opening = name
	w.takeAgain(in, m, c)
	w.opening = ""
}

// takeAgain takes a datagram that has waited, for which a choice was made. Payload
// is to stay valid until flushUpstream.
func (w *Worker) takeAgain(in *inbound.Inbound, m *loop.Received, c choice) {
	q := &w.toUpstream
	if q.used == q.slots.Len() {
		w.flushUpstream()
	}
	slot := int32(q.used)
	q.used++
	q.messages[slot] = *m
	q.last, q.lastEntry = c, nil
	w.takeChosen(in, slot)
	q.lastDest, q.lastEntry = netip.AddrPort{}, nil // the next is another's
}

// begin opens the session of a client that has none, by the way that was chosen. It
// returns nil when it does not.
func (w *Worker) begin(key nat.Key, in *inbound.Inbound, m *loop.Received) *nat.Entry[*flow] {
	way, name := w.toUpstream.last.way, w.opening
	if way == nil {
		found, taken := w.names.seek(in, m)
		if taken {
			return nil
		}
		name = found
		way, _ = w.decide(in, m, name, true)
		way = carrying(way)
	}
	switch reached := w.usable(way); {
	case reached == nil:
		w.counters.Add(count.DroppedNoSession, uint64(m.Datagrams()))
		w.tellUnreachable(m)
		return nil
	case reached != way:
		w.counters.Add(count.Fallbacks, 1)
		way = reached
	}
	if way.Out.Kind == outbound.Block || way.Out.Kind == outbound.HTTP {
		w.block(way, m)
		return nil
	}
	to, cause := w.leadsTo(in, m, way)
	if cause != 0 {
		w.refuse(cause, in, m)
		return nil
	}
	bears := w.bears(way, m, to.Addr())
	if !(bears && w.hasOutlet(way, m)) && !w.gate.admits(w.r.Now()) {
		w.counters.Add(count.DroppedFlood, 1)
		return nil
	}
	w.opening = name
	e := w.open(key, way, m, to, bears)
	w.opening = ""
	return e
}

// block refuses what m would begin. A client whose datagrams an HTTP proxy should
// carry is told so too, since it mostly has another way: QUIC's falls back to TCP.
func (w *Worker) block(way *outbound.Way, m *loop.Received) {
	w.counters.Add(count.RefusedBlocked, 1)
	if way.Out.Kind == outbound.HTTP {
		if e := w.log.Info(count.RefusedBlocked, w.r.Now()); e != nil { // the arguments would be allocated also for nil
			e.Str("outbound", way.Out.Tag).Stringer("client", m.Source).Stringer("dest", m.Dest).
				Msg("datagram refused: an HTTP proxy carries none; name a fallback, or send UDP to another outbound")
		}
	}
	if !way.Out.Silent {
		w.tellUnreachable(m)
	}
}

// tellUnreachable tells the client of m that nobody takes it.
func (w *Worker) tellUnreachable(m *loop.Received) {
	if w.set.ICMP {
		w.icmp.tell(m.Source, m.SourceScope, m.Dest, icmp.PortUnreachable(!m.Source.Addr().Is4()), m.Payload[:m.Segment])
	}
}
