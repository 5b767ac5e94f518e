package udp

import (
	"bytes"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/resolve"
)

// TestSOCKSRoundTrip has datagrams of all sizes go through a server, and replies
// come from whoever writes.
func TestSOCKSRoundTrip(t *testing.T) {
	for _, family := range families {
		for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
			server := newSOCKSServer(t, at)
			client, remote, other := newPeer(t, family.client), newPeer(t, family.remote), newPeer(t, family.other)
			s := newRelays(t, 2, 10, 8, time.Minute)
			s.takeSOCKS(server.at())
			var port netip.AddrPort
			for i, size := range []int{0, 1, 1200, 1473, 9000, 65000} {
				want := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
				s.inject(i%2, client.addr, remote.addr, want)
				got, from := remote.take()
				if port = from; !bytes.Equal(got, want) {
					t.Fatalf("%d bytes: %d arrive", size, len(got))
				}
				remote.give(port, want)
				if got, from := client.take(); !bytes.Equal(got, want) || from != remote.addr {
					t.Errorf("%d bytes: %d come back from %s, not %s", size, len(got), from, remote.addr)
				}
			}
			other.give(port, []byte("unasked"))
			if got, from := client.take(); string(got) != "unasked" || from != other.addr {
				t.Errorf("%q from %s, want it from %s", got, from, other.addr)
			}
			if st := s.stats(); st[count.FlowsOpened] != 1 || st[count.DatagramsToUpstream] != 6 || st[count.DatagramsToClient] != 7 || server.clients() != 1 {
				t.Errorf("%d associations, counted %v", server.clients(), st)
			}
		}
	}
}

// TestSOCKSRelayAddress has servers name their relays in all ways.
func TestSOCKSRelayAddress(t *testing.T) {
	for _, c := range []struct {
		name, server, relay string
		bound               []byte
		fails               bool
	}{
		{"unspecified", "127.0.0.1:0", "127.0.0.1:0", []byte{1, 0, 0, 0, 0}, false},
		{"unspecified, of the other family", "127.0.0.1:0", "127.0.0.1:0", append([]byte{4}, make([]byte, 16)...), false},
		{"unspecified, of an IPv6 server", "[::1]:0", "[::1]:0", append([]byte{4}, make([]byte, 16)...), false},
		{"another host", "127.0.0.1:0", "127.0.0.7:0", nil, false},
		{"another family", "127.0.0.1:0", "[::1]:0", nil, false},
		{"a name", "127.0.0.1:0", "127.0.0.1:0", append([]byte{3, 9}, "localhost"...), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newSOCKSServer(t, c.server, func(s *socksServer) { s.relay, s.bound = c.relay, c.bound })
			client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
			s := newRelays(t, 1, 10, 8, time.Minute)
			s.takeSOCKS(server.at())
			s.inject(0, client.addr, remote.addr, []byte("x"))
			if c.fails {
				s.counted(count.DroppedWaiting, 1)
				s.inject(0, client.addr, remote.addr, []byte("y"))
				if st := s.stats(); st[count.FailedProxy] != 1 || st[count.DroppedWaiting] != 2 {
					t.Errorf("counted %v", st)
				}
				return
			}
			got, port := remote.take()
			remote.give(port, got)
			if got, from := client.take(); string(got) != "x" || from != remote.addr {
				t.Errorf("%q from %s", got, from)
			}
		})
	}
}

// TestSOCKSFamilies has servers that know addresses of one family alone, which is
// not that of the destination.
func TestSOCKSFamilies(t *testing.T) {
	for i, only := range []byte{4, 1} {
		server := newSOCKSServer(t, "127.0.0.1:0", func(s *socksServer) { s.only = only })
		client, remote := newPeer(t, families[i].client), newPeer(t, families[i].remote)
		s := newRelays(t, 1, 10, 8, time.Minute)
		s.takeSOCKS(server.at())
		s.inject(0, client.addr, remote.addr, []byte("x"))
		if got, _ := remote.take(); string(got) != "x" {
			t.Errorf("%q arrives", got)
		}
		if st := s.stats(); st[count.FailedProxy] != 0 {
			t.Errorf("counted %v", st)
		}
	}
}

// TestSOCKSForward has a forward lead through a server: its client knows the address
// that it wrote to alone, and hears nobody else.
func TestSOCKSForward(t *testing.T) {
	server := newSOCKSServer(t, "127.0.0.1:0")
	client, remote, other := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0"), newPeer(t, "127.0.0.3:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	listen := netip.MustParseAddrPort("127.0.0.9:5300")
	s.in.Kind, s.in.Dests = inbound.Direct, resolve.Fixed(remote.addr)
	s.shared.admission.SetAllowLocal(true)
	s.shared.admission.SetListeners([]inbound.Spec{{Listen: listen}})
	s.takeSOCKS(server.at())
	s.inject(0, client.addr, listen, []byte("x"))
	got, port := remote.take()
	other.give(port, []byte("stranger"))
	s.counted(count.DroppedStranger, 1)
	remote.give(port, got)
	if got, from := client.take(); string(got) != "x" || from != listen {
		t.Errorf("%q from %s", got, from)
	}
}

// TestSOCKSWaiting has a server take its time: as many datagrams as may wait leave
// then, in their order.
func TestSOCKSWaiting(t *testing.T) {
	server := newSOCKSServer(t, "127.0.0.1:0", func(s *socksServer) { s.hold = make(chan struct{}) })
	client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 2, 10, 8, time.Minute)
	s.takeSOCKS(server.at())
	const more = 5
	for i := range mostWaiting + more {
		s.inject(i%2, client.addr, remote.addr, []byte{byte(i)})
		s.on(i%2, func() { s.workers[i%2].flush() })
	}
	s.counted(count.DroppedWaiting, more)
	close(server.hold)
	for i := range mostWaiting {
		if got, _ := remote.take(); !bytes.Equal(got, []byte{byte(i)}) {
			t.Fatalf("datagram %d is %v", i, got)
		}
	}
	if n := s.shared.waiting.Load(); n != 0 {
		t.Errorf("%d bytes wait", n)
	}
	if st := s.stats(); st[count.DatagramsToUpstream] != mostWaiting || st[count.DroppedWaiting] != more {
		t.Errorf("counted %v", st)
	}
}

// TestSOCKSRebuilds has a server end its connections: the session gets another
// association when its client writes again, and rests where it got nothing of the
// one that it had.
func TestSOCKSRebuilds(t *testing.T) {
	server := newSOCKSServer(t, "127.0.0.1:0")
	client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 2, 10, 8, time.Minute)
	s.takeSOCKS(server.at())
	for n := range 3 {
		s.inject(n%2, client.addr, remote.addr, []byte("x"))
		got, port := remote.take()
		remote.give(port, got)
		client.take()
		if server.clients() != n+1 {
			t.Fatalf("%d associations in round %d", server.clients(), n)
		}
		a := s.shared.flows.Lookup(nat.KeyOf(client.addr, markOf(&outbound.Outbound{Spec: outbound.Spec{Tag: "proxy"}}), 1)).Value.there
		server.hangUp()
		eventually(t, "the loss is seen", func() bool { return a.relay.Load() == nil })
	}
	s.inject(0, client.addr, remote.addr, []byte("x"))
	remote.take() // and nothing comes back
	server.hangUp()
	eventually(t, "the session rests", func() bool {
		s.inject(1, client.addr, remote.addr, []byte("x"))
		st := s.stats()
		return st[count.DroppedWaiting] > 0
	})
	if st := s.stats(); st[count.FlowsOpened] != 1 {
		t.Errorf("counted %v", st)
	}
}

// TestSOCKSFallback has no server, or one that relays nothing, with another way and
// without.
func TestSOCKSFallback(t *testing.T) {
	gone, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	unreached := gone.Addr().(*net.TCPAddr).AddrPort()
	gone.Close()
	refusing := newSOCKSServer(t, "127.0.0.1:0", func(s *socksServer) { s.code = 7 })
	forbidding := newSOCKSServer(t, "127.0.0.1:0", func(s *socksServer) { s.code = 2 })
	good := newSOCKSServer(t, "127.0.0.1:0")
	direct := outbound.Spec{Kind: outbound.Direct, Tag: "other"}
	for _, c := range []struct {
		name     string
		server   netip.AddrPort
		cause    count.Counter
		fallback *outbound.Spec
		falls    bool
	}{
		{"unreached, direct", unreached, count.FailedUpstreamRefused, &direct, true},
		{"unreached, another server", unreached, count.FailedUpstreamRefused, &outbound.Spec{Kind: outbound.Socks, Tag: "other"}, true},
		{"unreached, none", unreached, count.FailedUpstreamRefused, nil, false},
		{"unreached, HTTP", unreached, count.FailedUpstreamRefused, &outbound.Spec{Kind: outbound.HTTP, Tag: "other"}, false},
		{"knows no datagrams, direct", refusing.at(), count.FailedProxy, &direct, true},
		{"knows no datagrams, none", refusing.at(), count.FailedProxy, nil, false},
		{"forbids, direct", forbidding.at(), count.FailedProxy, &direct, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
			s := newRelays(t, 2, 10, 8, time.Minute)
			specs := []outbound.Spec{{Kind: outbound.Socks, Tag: "proxy"}}
			if c.fallback != nil {
				specs[0].Fallback = c.fallback.Tag
				specs = append(specs, *c.fallback)
			}
			s.take(map[string]netip.AddrPort{"proxy": c.server, "other": good.at()}, specs...)
			s.inject(0, client.addr, remote.addr, []byte("a"), []byte("b"))
			if !c.falls {
				s.counted(count.DroppedWaiting, 2)
				s.inject(1, client.addr, remote.addr, []byte("c"))
				s.counted(count.DroppedWaiting, 3)
				if st := s.stats(); st[c.cause] != 1 || st[count.Fallbacks] != 0 || st[count.FlowsOpened] != 1 {
					t.Errorf("counted %v", st)
				}
				return
			}
			var ports [3]netip.AddrPort
			for i, want := range []string{"a", "b", "c"} {
				if i == 2 {
					s.inject(1, client.addr, remote.addr, []byte("c"))
				}
				var got []byte
				if got, ports[i] = remote.take(); string(got) != want {
					t.Errorf("%q arrives, want %q", got, want)
				}
			}
			if ports[0] != ports[1] || ports[1] != ports[2] {
				t.Errorf("the client has ports %v", ports)
			}
			if st := s.stats(); st[c.cause] != 1 || st[count.Fallbacks] != 1 || st.FlowsNow() != 1 {
				t.Errorf("counted %v", st)
			}
		})
	}
}

// TestSOCKSServerDown has sessions refused at once, without any, while a server is
// known to be down, and go on when it is back.
func TestSOCKSServerDown(t *testing.T) {
	gone, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	at := gone.Addr().(*net.TCPAddr).AddrPort()
	gone.Close()
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 100, 8, time.Minute)
	s.takeSOCKS(at)
	n := 0
	eventually(t, "the server is down", func() bool {
		s.inject(0, clientAt(n), remote.addr, []byte("x"))
		n++
		st := s.stats()
		return st[count.DroppedNoSession] > 0
	})
	newSOCKSServer(t, at.String())
	eventually(t, "the server is back", func() bool {
		s.inject(0, clientAt(n), remote.addr, []byte("x"))
		n++
		st := s.stats()
		return st[count.DatagramsToUpstream] > 0
	})
}

// TestSOCKSOutsider has somebody else write to the socket towards the relay.
func TestSOCKSOutsider(t *testing.T) {
	server := newSOCKSServer(t, "127.0.0.1:0")
	client, remote, outsider := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0"), newPeer(t, "127.0.0.1:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	s.takeSOCKS(server.at())
	s.inject(0, client.addr, remote.addr, []byte("x"))
	_, port := remote.take()
	outsider.give(localAddr(t, s.relayNow().fd), []byte{0, 0, 0, 1, 127, 0, 0, 2, 0, 53, 'b', 'a', 'd'})
	remote.give(port, []byte("good"))
	if got, _ := client.take(); string(got) != "good" {
		t.Errorf("%q arrives", got)
	}
}

// TestSOCKSIsGivenBack has sessions be evicted and idle: server and gateway have
// nothing left (newRelays looks for fds).
func TestSOCKSIsGivenBack(t *testing.T) {
	server := newSOCKSServer(t, "127.0.0.1:0")
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 2, 4, 8, 300*time.Millisecond)
	s.takeSOCKS(server.at())
	for i := range 40 {
		s.inject(i%2, clientAt(i), remote.addr, []byte("x"))
	}
	eventually(t, "all sessions end", func() bool {
		st := s.stats()
		return st[count.FlowsOpened] >= 40 && st.FlowsNow() == 0
	})
	if n := s.shared.waiting.Load(); n != 0 {
		t.Errorf("%d bytes wait", n)
	}
}

// TestSOCKSRace has two workers share sessions whose server comes and goes, and
// that are evicted.
func TestSOCKSRace(t *testing.T) {
	server := newSOCKSServer(t, "127.0.0.1:0")
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 2, 6, 4, 20*time.Millisecond)
	s.takeSOCKS(server.at())
	var injecting sync.WaitGroup
	for worker := range s.workers {
		injecting.Go(func() {
			for i := range 300 {
				s.inject(worker, clientAt(i%10), remote.addr, []byte("x"), []byte("y"))
				if i%50 == 0 {
					server.hangUp()
				}
			}
		})
	}
	injecting.Wait()
}
