package udp

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
)

// crowd is clients with a session each towards one remote, more than there are slots.
const crowd = 50

// newCrowd gives each client a session, and returns the ports that those have.
func newCrowd(t *testing.T, s *relays, remote peer, family string) (clients []peer, ports []netip.AddrPort) {
	t.Helper()
	for i := range crowd {
		clients = append(clients, newPeer(t, family))
		s.inject(0, clients[i].addr, remote.addr, []byte("x"))
		_, from := remote.take()
		ports = append(ports, from)
	}
	return clients, ports
}

// sessionsOf are those that the clients have.
func (s *relays) sessionsOf(clients []peer) (entries []*nat.Entry[*flow]) {
	s.on(0, func() {
		for _, client := range clients {
			entries = append(entries, s.shared.flows.Lookup(nat.KeyOf(client.addr, 0, s.in.ID)))
		}
	})
	return entries
}

// TestManyReceive has sessions receive in one turn, of which some have several
// messages: all comes to whom it is for, in its order.
func TestManyReceive(t *testing.T) {
	for _, family := range families {
		remote := newPeer(t, family.remote)
		s := newRelays(t, 1, 2*crowd, 8, time.Minute)
		clients, ports := newCrowd(t, s, remote, family.client)
		for round := range 3 {
			s.on(0, func() { // meanwhile no edge is looked at
				for n := range 4 {
					for i, port := range ports {
						if n <= i%7 {
							remote.give(port, fmt.Appendf(nil, "%d %d %d", round, i, n))
						}
					}
				}
			})
			for i, client := range clients {
				for n := range min(4, i%7+1) {
					if got, from := client.take(); string(got) != fmt.Sprintf("%d %d %d", round, i, n) || from != remote.addr {
						t.Fatalf("client %d gets %q from %s as datagram %d of round %d", i, got, from, n, round)
					}
				}
			}
		}
		for i, e := range s.sessionsOf(clients) {
			if i%7 == 0 && e.Value.bulk {
				t.Errorf("session %d has never had two messages, and is bulk", i)
			}
		}
	}
}

// TestManyReceiveWhileSomeEnd ends sessions whose edges are listed, and has others hear
// of an unreachable remote with theirs.
func TestManyReceiveWhileSomeEnd(t *testing.T) {
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 2*crowd, 8, time.Minute)
	clients, ports := newCrowd(t, s, remote, "127.0.0.1:0")
	gone := newPeer(t, "127.0.0.3:0")
	gone.Close()
	for i := 0; i < crowd; i += 5 {
		s.inject(0, clients[i].addr, gone.addr, []byte("x"))
	}
	entries := s.sessionsOf(clients)
	s.on(0, func() {
		w := s.workers[0]
		for i, e := range entries {
			remote.give(ports[i], fmt.Append(nil, i))
			w.toClient.listed = append(w.toClient.listed, e.Value)
			if i%3 == 0 && s.shared.flows.Remove(e) {
				w.end(e, count.FlowsKilled)
			}
		}
		if w.r.Calls() != nil {
			w.receiveListed()
		}
		w.toClient.listed = w.toClient.listed[:0]
	})
	for i, client := range clients {
		if i%3 == 0 {
			continue
		}
		if got, from := client.take(); string(got) != fmt.Sprint(i) || from != remote.addr {
			t.Errorf("client %d gets %q from %s", i, got, from)
		}
	}
}

// TestManySendInOrder has sessions send in one turn, of which two share a place among
// the groups, so that each gets several.
func TestManySendInOrder(t *testing.T) {
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 2*crowd, 8, time.Minute)
	clients, ports := newCrowd(t, s, remote, "127.0.0.1:0")
	places := len(s.workers[0].toUpstream.groupOf)
	var want [2][]string
	s.on(0, func() {
		for n := range 8 {
			for k, i := range []int{0, places} {
				text := fmt.Sprint(i, n)
				s.workers[0].put(&s.in, loop.Received{Payload: []byte(text), Segment: len(text), Source: clients[i].addr, Dest: remote.addr})
				want[k] = append(want[k], text)
			}
		}
	})
	var got [2][]string
	for range 16 {
		payload, from := remote.take()
		switch from {
		case ports[0]:
			got[0] = append(got[0], string(payload))
		case ports[places]:
			got[1] = append(got[1], string(payload))
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
	st := s.stats()
	if n := uint64(crowd + 16); st[count.DatagramsToUpstream] != n {
		t.Errorf("%d datagrams are counted, want %d", st[count.DatagramsToUpstream], n)
	}
}
