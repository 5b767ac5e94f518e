package udp

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"sluice/nat"
	"sluice/redir/inbound"
)

// variant tells the flows of one client apart that see their remotes in different
// ways: 0 for what sees them as they are. It is part of the key of a flow, where
// scope stands otherwise, the interface of a link-local client.
func (w *Worker) variant(in *inbound.Inbound, dest netip.AddrPort) uint32 {
	switch {
	case in.Kind == inbound.Direct:
		return addressHash(dest.Addr())
	case w.set.Ports == nil:
		return 0
	}
	if to := w.set.Ports.UDP(dest); to != dest {
		return uint32(dest.Port())<<16 | uint32(to.Port())
	}
	return 0
}

// addressHash is FNV-1a, a word at a time. Two of the addresses that one client writes to at one
// forward would have to share it to be taken for each other.
func addressHash(addr netip.Addr) uint32 {
	const offset, prime = 2166136261, 16777619
	hash := uint32(offset)
	bytes := addr.As16()
	for word := bytes[:]; len(word) > 0; word = word[4:] {
		hash = (hash ^ binary.BigEndian.Uint32(word)) * prime
	}
	return hash
}

// mayBear reports whether a client's flow to dest may bear its address. Whose
// remotes the client sees as something else cannot where the kernel forwards
// replies past us.
func (w *Worker) mayBear(in *inbound.Inbound, client, dest netip.Addr, v *view) bool {
	if v != nil && (!in.Returns || client.Is4() != dest.Is4()) {
		return false
	}
	return w.shared.admission.MayBear(client, dest)
}

// origin names sessions that bear their clients' addresses and see their remotes as
// something else: those of an inbound, and a variant.
type origin struct {
	inbound uint16
	variant uint32
}

// mostViews bounds the origins whose sessions a reply is looked up for.
const mostViews = 64

// addView notes an origin. It is kept when there is no such session any more.
func (s *Shared) addView(o origin) {
	for {
		known := s.views.Load()
		if slices.Contains(*known, o) {
			return
		}
		more := append(slices.Clone(*known), o)
		more = more[max(0, len(more)-mostViews):]
		if s.views.CompareAndSwap(known, &more) {
			return
		}
	}
}

// viewed returns the session of a client that sees remote as something else or,
// without a claim to remote, one that sees others so; nil where there is none.
// Remotes see one address and port of a client that writes to a port and to what
// that is mapped to alike: it hears from both as from the first.
func (s *Shared) viewed(client, remote netip.AddrPort, claimed bool) *nat.Entry[*flow] {
	for _, o := range *s.views.Load() {
		e := s.sourced.Lookup(nat.KeyOf(client, o.variant, o.inbound))
		if e != nil && (e.Value.view.claims(remote) || !claimed && !e.Value.view.isForward()) {
			return e
		}
	}
	return nil
}
