package udp

import (
	"encoding/binary"
	"net/netip"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/resolve"
)

// view is how the remotes of a flow look to its client, where that is not as they
// are: a forward's client knows only the address that it wrote to, a mapped flow's
// another port. It never changes.
type view struct {
	kind       inbound.Kind
	seen       netip.AddrPort // of a forward: what the client wrote to, and hears from
	seenScope  uint32
	dest       netip.AddrPort // of a forward: where that leads
	dests      *resolve.Dests // of which dest is one
	from, port uint16         // of a map: the client's port of a remote, and the remote's own
}

// isForward reports whether the flow has a single remote.
func (v *view) isForward() bool { return v.kind == inbound.Direct }

// out is the address of the remote that the client knows as dest.
func (v *view) out(dest netip.AddrPort) netip.AddrPort {
	switch {
	case v.isForward():
		return v.dest
	case dest.Port() == v.from:
		return netip.AddrPortFrom(dest.Addr(), v.port)
	}
	return dest
}

// back is the address as which the client knows a remote; false where it knows
// none.
func (v *view) back(remote netip.AddrPort) (netip.AddrPort, bool) {
	switch {
	case v.isForward():
		return v.seen, remote == v.dest
	case remote.Port() == v.port:
		return netip.AddrPortFrom(remote.Addr(), v.from), true
	}
	return remote, true
}

// offender is the address as which the client knows who sent an ICMP error: a
// forward's destination is hidden from it, a router on the way is not.
func (v *view) offender(addr netip.Addr) netip.Addr {
	if v.isForward() && addr == v.dest.Addr() {
		return v.seen.Addr()
	}
	return addr
}

// leadsTo is where what begins a flow is to be sent, and why not.
func (w *Worker) leadsTo(in *inbound.Inbound, m *loop.Received) (to netip.AddrPort, cause count.Counter) {
	if in.Kind != inbound.Direct {
		return w.set.Ports.UDP(m.Dest), 0
	}
	all := in.Dests.For(m.Source.Addr(), in.Path.Source.OfClients())
	if len(all) == 0 {
		return to, count.RefusedUnresolved
	}
	return all[0], w.shared.admission.CheckForward(all[0])
}

// viewOf is that of a new flow whose client wrote m, which is to be sent to to; nil
// where the client sees its remotes as they are.
func viewOf(in *inbound.Inbound, m *loop.Received, to netip.AddrPort) *view {
	switch {
	case in.Kind == inbound.Direct:
		return &view{kind: in.Kind, seen: m.Dest, seenScope: m.DestScope, dest: to, dests: in.Dests}
	case to != m.Dest:
		return &view{kind: in.Kind, from: m.Dest.Port(), port: to.Port()}
	}
	return nil
}

// admits says why what a client has sent to dest by an inbound is refused.
func (w *Worker) admits(in *inbound.Inbound, dest netip.AddrPort) count.Counter {
	if in.Kind == inbound.Direct {
		return w.shared.admission.CheckListen(dest)
	}
	return w.shared.admission.Check(w.set.Ports.UDP(dest))
}

// sentTo is where a datagram of the flow leaves for, and by which interface where
// that is link-local.
func (f *flow) sentTo(m *loop.Received) (dest netip.AddrPort, scope uint32) {
	switch {
	case f.view == nil:
		return m.Dest, m.DestScope
	case f.view.isForward():
		return f.view.dest, 0
	}
	return f.view.out(m.Dest), m.DestScope
}

// known makes the source of what a remote sent what the client knows it as; false
// where it knows nobody there.
func (f *flow) known(m *loop.Received) bool {
	if f.view == nil {
		return true
	}
	source, ok := f.view.back(m.Source)
	if !ok {
		return false
	}
	if m.Source = source; f.view.isForward() {
		m.SourceScope = f.view.seenScope
	}
	return true
}

// asks reports whether dest is where lookups go, as the client knows it or as it
// is.
func (f *flow) asks(dest netip.AddrPort) bool {
	return asksAt(dest) || f.view != nil && asksAt(f.view.out(dest))
}

// echoes reports whether m may be part of a loop of two services, likewise.
func (f *flow) echoes(m *loop.Received) bool {
	if f.view == nil || echoes(m) {
		return echoes(m)
	}
	sent := *m
	sent.Dest = f.view.out(m.Dest)
	return echoes(&sent)
}

// failed tells that where a forward leads does not take datagrams. Where it leads
// elsewhere too, the flow ends, so that the client's next datagram goes there.
func (w *Worker) failed(e *nat.Entry[*flow]) {
	v := e.Value.view
	if v == nil || !v.isForward() {
		return
	}
	v.dests.Failed(v.dest)
	if v.dests.Several() && w.shared.table(e.Value).Remove(e) {
		w.end(e)
	}
}

// variant tells the flows of one client apart that see their remotes in different
// ways: 0 for what sees them as they are. It is part of the key of a flow, where
// scope stands otherwise, the interface of a link-local client. Where a forward's
// destination sees its client's address, nothing tells the replies to two flows
// apart, and there is one.
func (w *Worker) variant(in *inbound.Inbound, dest netip.AddrPort) uint32 {
	switch {
	case in.Kind == inbound.Direct && in.Path.Source.OfClients():
		return 0
	case in.Kind == inbound.Direct:
		return addressHash(dest.Addr())
	case w.set.Ports == nil:
		return 0
	}
	if to := w.set.Ports.UDP(dest); to != dest {
		return mapVariant(dest.Port(), to.Port())
	}
	return 0
}

func mapVariant(from, to uint16) uint32 { return uint32(from)<<16 | uint32(to) }

// addressHash is FNV-1a, a word at a time. Two of the addresses that one client
// writes to at one forward would have to share it to be taken for each other.
func addressHash(addr netip.Addr) uint32 {
	const offset, prime = 2166136261, 16777619
	hash := uint32(offset)
	bytes := addr.As16()
	for word := bytes[:]; len(word) > 0; word = word[4:] {
		hash = (hash ^ binary.BigEndian.Uint32(word)) * prime
	}
	return hash
}
