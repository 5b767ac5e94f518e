package udp

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/socket"
)

// mostTraits bounds the ways whose sessions are told apart.
const mostTraits = 32

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

// goesOn is the session that a client began by another way, towards where m goes:
// it stays as it is, though the table, the time, or the member of a group is another
// now.
func (w *Worker) goesOn(in *inbound.Inbound, m *loop.Received) *nat.Entry[*flow] {
	first := socket.EndpointOf(m.Dest)
	for _, t := range *w.shared.traits.Load() {
		variant := w.variant(in, m.Dest, t)
		if variant == w.toUpstream.last.variant {
			continue
		}
		key := nat.KeyOf(m.Source, m.SourceScope^variant, in.ID)
		for _, table := range w.shared.tables() {
			if e := table.Lookup(key); e != nil && e.Value.first == first {
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

// namedVariant is that of the sessions which are for dest alone, and a hash of dest.
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
