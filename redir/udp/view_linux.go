package udp

import (
	"net/netip"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/icmp"
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

// claims reports whether the client sees a remote as something else.
func (v *view) claims(remote netip.AddrPort) bool {
	if v.isForward() {
		return remote == v.dest
	}
	return remote.Port() == v.port
}

// offender is the address as which the client knows who sent an ICMP error: a
// forward's destination is hidden from it, a router on the way is not.
func (v *view) offender(addr netip.Addr) netip.Addr {
	if v.isForward() && addr == v.dest.Addr() {
		return v.seen.Addr()
	}
	return addr
}

// viewOf is that of a new flow whose client wrote m, and where m is to be sent; nil
// where the client sees its remotes as they are. It says why not, where nowhere.
func (w *Worker) viewOf(in *inbound.Inbound, m *loop.Received) (v *view, to netip.AddrPort, cause count.Counter) {
	if in.Kind != inbound.Direct {
		if to = w.set.Ports.UDP(m.Dest); to == m.Dest {
			return nil, to, 0
		}
		return &view{kind: in.Kind, from: m.Dest.Port(), port: to.Port()}, to, 0
	}
	all := in.Dests.For(m.Source.Addr(), in.Path.Source.OfClients())
	if len(all) == 0 {
		return nil, to, count.RefusedUnresolved
	}
	v = &view{kind: in.Kind, seen: m.Dest, seenScope: m.DestScope, dest: all[0], dests: in.Dests}
	return v, v.dest, w.shared.admission.CheckForward(v.dest)
}

// admits says why what a client has sent to dest by an inbound is refused.
func (w *Worker) admits(in *inbound.Inbound, dest netip.AddrPort) count.Counter {
	if in.Kind == inbound.Direct {
		return w.shared.admission.CheckListen(dest)
	}
	return w.shared.admission.Check(w.set.Ports.UDP(dest))
}

// sendThrough makes the destination of what the client wrote that of the remote.
func (f *flow) sendThrough(m *loop.Received) {
	if f.view == nil {
		return
	}
	if m.Dest = f.view.out(m.Dest); f.view.isForward() {
		m.DestScope = 0
	}
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

// seenInError makes an error about what was sent to dest one that the client
// understands; false where there are no words for it, those of the other family.
func (f *flow) seenInError(dest *netip.AddrPort, e *icmp.Error) bool {
	same := dest.Addr().Is4() == f.client().Addr().Is4()
	if f.view != nil {
		*dest, _ = f.view.back(*dest)
		e.Offender = f.view.offender(e.Offender)
	}
	return same
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
	if v.dests.Several() && w.shared.flows.Remove(e) {
		w.end(e)
	}
}
