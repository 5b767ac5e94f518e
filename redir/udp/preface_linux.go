package udp

import (
	"net/netip"

	"sluice/loop"
	"sluice/redir/icmp"
	"sluice/redir/proxyproto"
)

// preface is the PROXY header of the datagrams in a slot, where there is to be
// one; it is valid until the slot is reset. It tells where the client wrote to,
// wherever that leads.
func (q *upstreamQueue) preface(slot int32, told bool) []byte {
	if !told {
		return nil
	}
	m := &q.messages[slot]
	return proxyproto.AppendV2(q.prefaces[slot][:0], proxyproto.UDP, m.Source, m.Dest)
}

// prefaced is what preface has made, of a slot whose datagrams bear their client's
// address, and so are of the family of where they go.
func (q *upstreamQueue) prefaced(slot int32, told bool) []byte {
	if !told {
		return nil
	}
	m := &q.messages[slot]
	return q.prefaces[slot][:proxyproto.V2Size(m.Source.Addr(), m.Dest.Addr())]
}

// push is loop.SendBatch.Push of datagrams that may each have a preface.
func (w *Worker) push(e *loop.Envelope, preface, payload []byte, segment int, gso *loop.GSO) (rest []byte, whole bool) {
	if len(preface) > 0 {
		return w.out.PushPrefix(e, preface, payload, segment, gso)
	}
	return w.out.Push(e, payload, segment, gso)
}

// withoutPreface makes an error about a datagram with a preface one about what the
// client has sent: it quotes that, and a path takes so much less of it.
func withoutPreface(e *icmp.Error, quote []byte, client, dest netip.AddrPort) []byte {
	size := proxyproto.V2Size(client.Addr(), dest.Addr())
	if e.IsTooBig(dest.Addr().Is4()) && e.Info > uint32(size) {
		e.Info -= uint32(size)
	}
	return quote[min(size, len(quote)):]
}
