package socks

import (
	"iter"
	"net/netip"

	"sluice/bench/dgram"
)

// longestSegment is the size up to which datagrams leave as runs: what fits a packet
// of any path that leads here.
const longestSegment = 1200 + 22

// gatherer makes runs of datagrams that go to one address after each other.
type gatherer struct {
	*worker
	socket  dgram.Socket
	to      netip.AddrPort
	begin   int // of the run, in the arena
	segment int // size of each of its datagrams, but for the last
	count   int
	closed  bool // the last is shorter
}

// put adds a datagram in two parts.
func (g *gatherer) put(s dgram.Socket, to netip.AddrPort, head, body []byte) {
	if s != g.socket {
		g.send()
		g.socket = s
	}
	size := len(head) + len(body)
	joins := g.count > 0 && !g.closed && to == g.to && size > 0 && size <= g.segment && g.segment <= longestSegment &&
		g.count < dgram.MaxSegments && len(g.arena)-g.begin+size <= dgram.MaxRun
	if !joins {
		g.end()
		if g.tx.Full() || cap(g.arena)-len(g.arena) < 2*udpRoom {
			g.send()
		}
		g.to, g.begin, g.segment, g.closed = to, len(g.arena), size, false
	}
	g.arena = append(append(g.arena, head...), body...)
	g.count++
	g.closed = size < g.segment
}

// end ends the run.
func (g *gatherer) end() {
	if g.count > 0 {
		g.tx.Add(g.arena[g.begin:], g.segment, g.to, netip.Addr{})
		g.count = 0
	}
}

// send sends what was put; a socket without room drops the rest, as a network would.
func (g *gatherer) send() {
	g.end()
	_, _ = g.tx.Send(g.socket)
	g.arena = g.arena[:0]
}

// datagrams are those of a message.
func datagrams(m dgram.Message) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		segment := m.Segment
		if segment == 0 || segment > len(m.Data) {
			segment = len(m.Data)
		}
		for data, first := m.Data, true; first || len(data) > 0; first = false {
			one := data[:min(segment, len(data))]
			if !yield(one) {
				return
			}
			data = data[len(one):]
		}
	}
}
