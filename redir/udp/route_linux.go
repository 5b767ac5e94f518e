package udp

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/icmp"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/route"
)

// mostTraits bounds the ways whose sessions are told apart.
const mostTraits = 32

// choice is what is found of a datagram before its session is looked up.
type choice struct {
	refusal count.Counter // 0: none
	way     *outbound.Way // nil: it is not known yet
	trait   trait
	variant uint32 // that of both
}

// trait is what of a way tells the sessions of one client apart: those of each
// outbound have a mapping of their own.
type trait struct {
	mark  uint32 // of the outbound, see markOf
	port  uint16 // of remotes, instead of their own; 0: that
	bears bool   // the way's source is the client's address
	named bool   // one session for each destination, whose name decides; the rest means nothing
}

func traitOf(way *outbound.Way) trait {
	return trait{mark: markOf(way.Out), port: way.Port, bears: way.Path.Source.OfClients()}
}

// markOf is a hash of an outbound's tag, since the same outbound of a reload is
// another one in memory. 0 is that where nothing is said of outbounds.
func markOf(o *outbound.Outbound) uint32 {
	if o.Tag == outbound.Direct.String() {
		return 0
	}
	hash := uint32(fnvOffset)
	for i := range len(o.Tag) {
		hash = (hash ^ uint32(o.Tag[i])) * fnvPrime
	}
	return hash
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

// chooseByName finds the way of what m begins, which its name decides. Where it has
// none, what it begins is no session of its destination alone: its client's port
// has one mapping for each outbound, as where names decide nothing. Taken is as
// [names.seek] has it.
func (w *Worker) chooseByName(in *inbound.Inbound, m *loop.Received) (taken bool) {
	name, taken := w.names.seek(in, m)
	if taken {
		return true
	}
	c := &w.toUpstream.last
	way, _ := w.decide(in, m, name, true)
	if c.way = carrying(way); name == "" {
		c.trait = traitOf(c.way)
	}
	c.refusal, c.variant = w.admits(in, m.Dest, c.way.Port), w.variant(in, m.Dest, c.trait)
	return false
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
	w.takeAgain(in, m, c)
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
	way := w.toUpstream.last.way
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
	return w.open(key, way, m, to, bears)
}

// block refuses what m would begin. A client whose datagrams an HTTP proxy should
// carry is told so too, since it mostly has another way: QUIC's falls back to TCP.
func (w *Worker) block(way *outbound.Way, m *loop.Received) {
	w.counters.Add(count.RefusedBlocked, 1)
	if way.Out.Kind == outbound.HTTP {
		if e := w.log.Warn(count.RefusedBlocked, w.r.Now()); e != nil { // the arguments would be allocated also for nil
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

// goesOn is the session that a client began by another way, towards where m goes:
// it stays as it is, though the table, the time, or the member of a group is another
// now.
func (w *Worker) goesOn(in *inbound.Inbound, m *loop.Received) *nat.Entry[*flow] {
	for _, t := range *w.shared.traits.Load() {
		variant := w.variant(in, m.Dest, t)
		if variant == w.toUpstream.last.variant {
			continue
		}
		key := nat.KeyOf(m.Source, m.SourceScope^variant, in.ID)
		for _, table := range w.shared.tables() {
			if e := table.Lookup(key); e != nil && e.Value.first == m.Dest {
				return e
			}
		}
	}
	return nil
}

// addTrait notes one that a session has.
func (s *Shared) addTrait(t trait) {
	for {
		known := s.traits.Load()
		if slices.Contains(*known, t) {
			return
		}
		more := append(slices.Clone(*known), t)
		more = more[max(0, len(more)-mostTraits):]
		if s.traits.CompareAndSwap(known, &more) {
			return
		}
	}
}

// variant tells the flows of one client apart that have ways of different traits or
// see their remotes in different ways: 0 for what sees them as they are, where
// nothing is said of outbounds. It is part of the key of a flow, where scope stands
// otherwise, the interface of a link-local client. Where a forward's destination
// sees its client's address, nothing tells the replies to two flows apart, and there
// is one.
func (w *Worker) variant(in *inbound.Inbound, dest netip.AddrPort, t trait) uint32 {
	switch {
	case t.named:
		return namedVariant(dest)
	case in.Kind == inbound.Direct && t.bears:
		return t.mark
	case in.Kind == inbound.Direct:
		return t.mark ^ addressHash(dest.Addr())
	case t.port == 0 && w.set.Ports == nil:
		return t.mark
	}
	if to := w.set.sentAt(dest, t.port); to != dest {
		return t.mark ^ mapVariant(dest.Port(), to.Port())
	}
	return t.mark
}

// sentAt is where datagrams to dest are sent on that are not a forward's, by a way
// of a port; 0: of none.
func (s *Settings) sentAt(dest netip.AddrPort, port uint16) netip.AddrPort {
	if port != 0 {
		return netip.AddrPortFrom(dest.Addr(), port)
	}
	return s.Ports.UDP(dest)
}

func mapVariant(from, to uint16) uint32 { return uint32(from)<<16 | uint32(to) }

// namedVariant is that of the sessions which are for dest alone.
func namedVariant(dest netip.AddrPort) uint32 {
	const salt = 0x9e3779b9 // so that no forward's is likely to be the same
	return (addressHash(dest.Addr())^uint32(dest.Port()))*fnvPrime ^ salt
}

// What FNV-1a begins with, and multiplies by.
const fnvOffset, fnvPrime = 2166136261, 16777619

// addressHash is FNV-1a, a word at a time. Two of the addresses that one client
// writes to at one forward would have to share it to be taken for each other.
func addressHash(addr netip.Addr) uint32 {
	hash := uint32(fnvOffset)
	bytes := addr.As16()
	for word := bytes[:]; len(word) > 0; word = word[4:] {
		hash = (hash ^ binary.BigEndian.Uint32(word)) * fnvPrime
	}
	return hash
}
