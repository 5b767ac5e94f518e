package udp

import (
	"net/netip"
	"unique"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/icmp"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/upstream"
)

// bears reports whether a session that m begins, which is to be sent to to, bears
// its client's address.
func (w *Worker) bears(way *outbound.Way, m *loop.Received, to netip.Addr) bool {
	return way.Path.Source.OfClients() && w.shared.admission.MayBear(m.Source.Addr(), to)
}

// lookup finds the session of a client, which bears the client's address where
// it could when its first datagram came: one that has begun keeps the mapping
// that it has (RFC 4787, REQ-1), whatever else its client sends to. One of a way with
// a fallback may have taken that; a way of nil may be any.
func (w *Worker) lookup(key nat.Key, way *outbound.Way) *nat.Entry[*flow] {
	if way == nil || way.Path.Source.OfClients() || way.Fallback != nil {
		if e := w.shared.sourced.Lookup(key); e != nil {
			return e
		}
	}
	return w.shared.flows.Lookup(key)
}

// openSourced makes a flow that bears its client's address, and has no socket.
func (w *Worker) openSourced(key nat.Key, way *outbound.Way, m *loop.Received, to netip.AddrPort) *nat.Entry[*flow] {
	of := w.account(key, way.In, m)
	if of == nil {
		return nil
	}
	f := w.newFlow(key, way, m, to, of)
	f.unseen = !way.In.Returns
	w.shared.addOrigin(w.originOf(way, m, to), way.In.Kind == inbound.Direct)
	e, inserted := w.insert(f, way.In, m)
	if !inserted {
		of.End()
	}
	return e
}

// endSourced ends the flows without a socket.
func (w *Worker) endSourced() {
	sourced := w.shared.sourced
	sourced.Range(func(e *nat.Entry[*flow]) bool {
		if sourced.Remove(e) {
			w.counters.Add(count.FlowsCut, 1)
			w.end(e, count.FlowsCut)
		}
		return true
	})
}

// outletOf names the outlet that m leaves by.
func (w *Worker) outletOf(m *loop.Received, path unique.Handle[upstream.Path]) senderKey {
	return senderKey{
		port: m.Source.Port(), v6: !m.Source.Addr().Is4(), path: path, narrow: w.mustCut(m.Dest.Addr(), m.Segment),
	}
}

// hasOutlet reports whether the outlet that m would leave by is open, so that a
// session more costs little.
func (w *Worker) hasOutlet(way *outbound.Way, m *loop.Received) bool {
	return w.toUpstream.outlets.all[w.outletOf(m, way.Handle)] != nil
}

// takeToOutlet puts what slot has received into the queue of this worker's
// outlet of the client's port.
func (w *Worker) takeToOutlet(f *flow, slot int32) {
	q := &w.toUpstream
	m := &q.messages[slot]
	q.preface(slot, f.told)
	m.Dest, m.DestScope = f.sentTo(m)
	b, err := q.outlets.get(w.outletOf(m, f.way.Handle))
	if err != nil {
		w.dropped(count.DroppedSend, m.Datagrams(), m.Source, m.Dest, err)
		return
	}
	q.outlets.append(b, q.next, slot)
}

// pushOut adds what waits for b, each with its client's address.
func (w *Worker) pushOut(b *sender) {
	q := &w.toUpstream
	told := b.key.path.Value().SendProxy.Datagrams()
	var e loop.Envelope
	for slot := b.head; slot != none; slot = q.next[slot] {
		m := &q.messages[slot]
		e.Dest, e.DestScope = m.Dest, m.DestScope
		e.Source, e.TOS = m.Source.Addr(), m.TOS
		q.outlets.push(b, &e, q.prefaced(slot, told), m)
	}
}

// lostOut counts what could not be sent, and tells its client why.
func (w *Worker) lostOut(b *sender, sent *loop.SendResult) {
	client := b.from(sent.Failed.Source)
	w.dropped(count.DroppedSend, sent.Dropped, client, sent.Failed.Dest, sent.Errno)
	if isUnreachable(sent.Errno) && w.set.ICMP {
		w.icmp.tell(client, 0, sent.Failed.Dest, icmp.Unreachable(!client.Addr().Is4()), nil)
	}
}
