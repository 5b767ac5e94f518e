package udp

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/record"
	"sluice/redir/shape"
)

// slow is the least rate, and slowBurst how many datagrams of slowSize may go at once
// by it.
const (
	slowSize  = 1000
	slowBurst = 17 // 16 KiB, and one that pays afterwards
)

// slow has all clients be as slow as may be.
func (s *relays) slow() {
	s.shared.clients.SetRates(&admit.Rates{All: shape.Limit{Up: shape.LeastRate, Down: shape.LeastRate}})
}

// takeSlow takes n datagrams of slowSize, in their order.
func (p peer) takeSlow(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		payload, _ := p.take()
		if len(payload) != slowSize || payload[0] != byte(i) {
			t.Fatalf("datagram %d: %d bytes, of %d", i, len(payload), payload[0])
		}
	}
}

// run is n datagrams of slowSize, each with its number.
func run(n int) (b []byte) {
	for i := range n {
		b = append(b, bytes.Repeat([]byte{byte(i)}, slowSize)...)
	}
	return b
}

// TestPolice asserts that what is beyond a client's rate is dropped and counted, up and
// down, singly and of runs: of sessions with a socket, with a server, and with their
// client's address.
func TestPolice(t *testing.T) {
	const sent = 30
	for _, family := range families {
		for name, start := range map[string]func(t *testing.T) *relays{
			"socket": func(t *testing.T) *relays { return newRelays(t, 1, 10, 8, time.Minute) },
			"server": func(t *testing.T) *relays {
				server := newSOCKSServer(t, "127.0.0.1:0")
				s := newRelays(t, 1, 10, 8, time.Minute)
				s.takeSOCKS(server.at())
				return s
			},
		} {
			t.Run(name+" "+family.client, func(t *testing.T) {
				client, remote := newPeer(t, family.client), newPeer(t, family.remote)
				s := start(t)
				s.inject(0, client.addr, remote.addr, []byte("begin"))
				_, port := remote.take()
				s.slow()
				s.on(0, func() {
					s.workers[0].put(&s.in, loop.Received{Payload: run(sent), Segment: slowSize, Source: client.addr, Dest: remote.addr})
				})
				remote.takeSlow(t, slowBurst)
				s.counted(count.DroppedClientRate, sent-slowBurst)
				s.inject(0, client.addr, remote.addr, []byte("too much"))
				s.counted(count.DroppedClientRate, sent-slowBurst+1)
				for i := range sent {
					remote.give(port, bytes.Repeat([]byte{byte(i)}, slowSize))
				}
				client.takeSlow(t, slowBurst)
				s.counted(count.DroppedClientRate, 2*(sent-slowBurst)+1)
				var r record.Record
				session := s.shared.Sessions()[0]
				s.on(0, func() { s.workers[0].Record(session, record.Brief, &r) })
				if !r.Held || r.Up.Datagrams != slowBurst+1 || r.Down.Datagrams != slowBurst || r.Up.Bytes != slowBurst*slowSize+5 {
					t.Errorf("%+v", r)
				}
				s.shared.clients.SetRates(&admit.Rates{})
				s.inject(0, client.addr, remote.addr, []byte("as fast as it can"))
				if got, _ := remote.take(); string(got) != "as fast as it can" {
					t.Errorf("%q", got)
				}
			})
		}
	}
}

// TestPoliceSourced is the same of sessions that bear their client's address.
func TestPoliceSourced(t *testing.T) {
	const sent = 30
	for _, c := range strangers {
		remote := newPeer(t, c.remote)
		s := newSourced(t, 1, 10, 8, time.Minute)
		s.slow()
		client := nth(c.client, 1)
		s.on(0, func() {
			s.workers[0].put(&s.in, loop.Received{Payload: run(sent), Segment: slowSize, Source: netip.AddrPortFrom(client, 4000), Dest: remote.addr})
		})
		remote.takeSlow(t, slowBurst)
		s.counted(count.DroppedClientRate, sent-slowBurst)
		s.on(0, func() {
			w := s.workers[0]
			f := w.sourcedOf(netip.AddrPortFrom(client, 4000), remote.addr, s.in.ID).Value
			m := &w.toClient.messages[0]
			*m = loop.Received{Payload: run(sent), Segment: slowSize, Source: remote.addr, Dest: netip.AddrPortFrom(client, 4000)}
			w.toClient.used = 1
			if w.takeFromUpstream(f, 0); len(m.Payload) != slowBurst*slowSize {
				t.Errorf("%d bytes of a reply are left", len(m.Payload))
			}
			w.flushClient()
		})
		s.counted(count.DroppedClientRate, 2*(sent-slowBurst))
	}
}

// TestPoliceDoesNotAllocate of sessions that are there.
func TestPoliceDoesNotAllocate(t *testing.T) {
	client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	s.slow()
	s.inject(0, client.addr, remote.addr, run(1))
	data := run(2)
	s.on(0, func() {
		w := s.workers[0]
		if n := testing.AllocsPerRun(100, func() {
			w.put(&s.in, loop.Received{Payload: data, Segment: slowSize, Source: client.addr, Dest: remote.addr})
			w.flush()
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
