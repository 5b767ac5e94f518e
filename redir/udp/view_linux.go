package udp

import (
	"net/netip"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
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
func (w *Worker) leadsTo(in *inbound.Inbound, m *loop.Received, way *outbound.Way) (to netip.AddrPort, cause count.Counter) {
	if in.Kind != inbound.Direct {
		return w.set.sentAt(m.Dest, way.Port), 0
	}
	all := in.Dests.For(m.Source.Addr(), way.Path.Source.OfClients())
	if len(all) == 0 {
		return to, count.RefusedUnresolved
	}
	to = all[0]
	if way.Port != 0 {
		to = netip.AddrPortFrom(to.Addr(), way.Port)
	}
	return to, w.shared.admission.CheckForward(to)
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

// admits says why what a client has sent to dest by an inbound is refused, on a way
// of a port; 0: of none.
func (w *Worker) admits(in *inbound.Inbound, dest netip.AddrPort, port uint16) count.Counter {
	if in.Kind == inbound.Direct {
		return w.shared.admission.CheckListen(dest)
	}
	return w.shared.admission.Check(w.set.sentAt(dest, port))
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
		w.counters.Add(count.FlowsMoved, 1)
		w.end(e, count.FlowsMoved)
	}
}
