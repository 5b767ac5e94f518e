package udp

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/outbound"
	"sluice/redir/resolve"
	"sluice/redir/route"
	"sluice/redir/ruleset"
	"sluice/redir/source"
)

// from is an outbound whose datagrams bear an address.
func from(tag, addr string) outbound.Spec {
	return outbound.Spec{Tag: tag, Source: source.Source{Kind: source.Address, IPv4: netip.MustParseAddr(addr)}}
}

// to is a rule that leads what is for a network to an outbound.
func to(outbound string, networks ...string) route.Rule {
	r := route.Rule{Outbound: outbound}
	for _, n := range networks {
		r.Prefixes = append(r.Prefixes, netip.MustParsePrefix(n))
	}
	return r
}

// follow has all workers ask rules, as a reload does.
func (s *relays) follow(outs []outbound.Spec, rules ...route.Rule) {
	s.t.Helper()
	spec := route.Spec{Rules: rules}
	outs = outbound.Implied(outs, &spec)
	var known route.Known
	for _, o := range outs {
		known.Outbounds = append(known.Outbounds, o.Tag)
	}
	table, err := route.New(spec, nil, known)
	if err != nil {
		s.t.Fatal(err)
	}
	set, err := outbound.Open(outs, nil, func(t resolve.Target) *resolve.Dests { return resolve.Fixed(t.AddrPort()) },
		func(*outbound.Outbound, bool, error) {})
	if err != nil {
		s.t.Fatal(err)
	}
	s.use(set, &spec, table)
}

// TestRoutesHaveMappings has one client port have one mapping for each outbound, by
// whichever worker it comes, and replies of both.
func TestRoutesHaveMappings(t *testing.T) {
	client := newPeer(t, "127.0.0.1:0")
	s := newRelays(t, 2, 10, 8, time.Minute)
	s.follow([]outbound.Spec{{Tag: "direct"}, from("a", "127.0.0.11"), from("b", "127.0.0.12")},
		to("a", "127.0.0.2/31"), to("b", "127.0.0.4/31"))
	want := map[string]string{"127.0.0.2": "127.0.0.11", "127.0.0.3": "127.0.0.11", "127.0.0.4": "127.0.0.12", "127.0.0.5": "127.0.0.12", "127.0.0.6": "127.0.0.1"}
	ports := map[netip.Addr]netip.AddrPort{}
	for round := range 2 {
		for at, source := range want {
			remote := newPeer(t, at+":0")
			s.inject(round, client.addr, remote.addr, []byte(at))
			got, port := remote.take()
			if string(got) != at || port.Addr() != netip.MustParseAddr(source) {
				t.Errorf("%s hears %q from %s, want it from %s", at, got, port, source)
			}
			if was, ok := ports[port.Addr()]; ok && was != port {
				t.Errorf("the client has ports %s and %s of one outbound", was, port)
			}
			ports[port.Addr()] = port
			remote.give(port, got)
			if got, back := client.take(); string(got) != at || back != remote.addr {
				t.Errorf("%q comes back from %s", got, back)
			}
		}
	}
	if st := s.stats(); st[count.FlowsOpened] != 3 {
		t.Errorf("counted %v", st)
	}
}

// TestRoutesKeepSessions changes the rules: what has begun goes on by its way, and
// what begins takes the new one.
func TestRoutesKeepSessions(t *testing.T) {
	client, late := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.1:0")
	remote, other := newPeer(t, "127.0.0.2:0"), newPeer(t, "127.0.0.3:0")
	s := newRelays(t, 2, 10, 8, time.Minute)
	send := func(worker int, from, to peer, want string) (port netip.AddrPort) {
		t.Helper()
		s.inject(worker, from.addr, to.addr, []byte("x"))
		if _, port = to.take(); port.Addr() != netip.MustParseAddr(want) {
			t.Errorf("%s hears from %s, want %s", to.addr, port, want)
		}
		return port
	}
	first := send(0, client, remote, "127.0.0.1")
	outs := []outbound.Spec{from("a", "127.0.0.11"), {Kind: outbound.Block, Tag: "no"}}
	s.follow(outs, to("a", "127.0.0.0/8"))
	if again := send(1, client, remote, "127.0.0.1"); again != first {
		t.Errorf("the client had %s, and has %s", first, again)
	}
	send(0, late, remote, "127.0.0.11")
	moved := send(1, client, other, "127.0.0.11")
	s.follow(outs, to("no", "127.0.0.0/8"))
	if again := send(0, client, other, "127.0.0.11"); again != moved {
		t.Errorf("the client had %s, and has %s", moved, again)
	}
	if st := s.stats(); st[count.FlowsOpened] != 3 || st[count.RefusedBlocked] != 0 {
		t.Errorf("counted %v", st)
	}
}

// TestRoutesBlock has clients of what is blocked told so, or not, without a session.
func TestRoutesBlock(t *testing.T) {
	server := newSOCKSServer(t, "127.0.0.1:0")
	at := resolve.Target{Host: server.at().Addr().String(), Port: server.at().Port()}
	s := newRelays(t, 1, 10, 8, time.Minute)
	outs := []outbound.Spec{
		{Tag: "direct"},
		{Kind: outbound.Block, Tag: "no"}, {Kind: outbound.Block, Tag: "silent", Silent: true},
		{Kind: outbound.HTTP, Tag: "http", Server: at}, {Kind: outbound.HTTP, Tag: "http, or direct", Server: at, Fallback: "direct"},
	}
	s.follow(outs, to("no", "127.0.0.2/32", "::1/128"), to("silent", "127.0.0.3/32"), to("http", "127.0.0.4/32"), to("http, or direct", "127.0.0.5/32"))
	s.on(0, func() {
		if err := s.workers[0].icmp.open(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range []struct {
		remote        string
		told, carried bool
	}{{"127.0.0.2:0", true, false}, {"[::1]:0", true, false}, {"127.0.0.3:0", false, false}, {"127.0.0.4:0", true, false}, {"127.0.0.5:0", false, true}} {
		remote := newPeer(t, c.remote)
		client, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote.addr))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		before := s.stats()
		s.inject(0, client.LocalAddr().(*net.UDPAddr).AddrPort(), remote.addr, []byte("x"))
		after := s.stats()
		if c.carried {
			remote.take()
		} else if after[count.RefusedBlocked] != before[count.RefusedBlocked]+1 || after[count.FlowsOpened] != before[count.FlowsOpened] {
			t.Errorf("%s: counted %v, then %v", c.remote, before, after)
		}
		if told := after[count.ICMPToClient] > before[count.ICMPToClient]; told != c.told {
			t.Errorf("%s: the client is told: %v", c.remote, told)
		}
		if c.told {
			client.SetReadDeadline(time.Now().Add(patience))
			if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: the client gets %v", c.remote, err)
			}
		}
	}
}

// overridden is a rule with a port of its own.
func overridden(outbound string, port uint16, ports ...uint16) route.Rule {
	r := route.Rule{Outbound: outbound, Port: port}
	for _, p := range ports {
		r.Ports = append(r.Ports, ruleset.PortRange{Low: p, High: p})
	}
	return r
}

// TestRoutesOverridePort has what comes back bear the port that the client knows,
// also where it is found by its client's address.
func TestRoutesOverridePort(t *testing.T) {
	for _, sourced := range []bool{false, true} {
		remote := newPeer(t, "127.0.0.2:0")
		client := newPeer(t, "127.0.0.1:0")
		s := newRelays(t, 1, 10, 8, time.Minute)
		out := outbound.Spec{Tag: "direct"}
		if sourced {
			out.Source.Kind, s.in.Returns = source.Client, true
			client.addr = netip.AddrPortFrom(netip.MustParseAddr("10.55.0.1"), 4000)
		}
		s.follow([]outbound.Spec{out}, overridden("", remote.addr.Port(), 53, 54))
		for _, known := range []uint16{53, 54} {
			dest := netip.AddrPortFrom(remote.addr.Addr(), known)
			s.inject(0, client.addr, dest, []byte("x"))
			got, port := remote.take()
			if sourced {
				e := s.workers[0].sourcedOf(port, remote.addr, 0)
				if m := (loop.Received{Source: remote.addr}); e == nil || !e.Value.known(&m) || m.Source.Port() != 53 && m.Source.Port() != 54 {
					t.Errorf("sourced: what comes back is known as that of %v", m.Source)
				}
				continue
			}
			remote.give(port, got)
			if _, from := client.take(); from != dest {
				t.Errorf("what comes back is from %s, not %s", from, dest)
			}
		}
		if st := s.stats(); st[count.FlowsOpened] != 2 {
			t.Errorf("counted %v", st)
		}
	}
}

// TestRoutesWithSources has outbounds bear clients' addresses, and remotes' replies
// find the sessions of each, of flows whose names decide too.
func TestRoutesWithSources(t *testing.T) {
	remote, other, named := newPeer(t, "127.0.0.2:0"), newPeer(t, "127.0.0.3:0"), newPeer(t, "127.0.0.4:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	s.in.Returns = true
	own := func(tag string, mark uint32) outbound.Spec {
		return outbound.Spec{Tag: tag, Mark: mark, Source: source.Source{Kind: source.Client}}
	}
	byName := to("b", "127.0.0.9/32")
	byName.Domains = []string{"example.org"}
	s.follow([]outbound.Spec{own("a", 2), own("b", 3)}, to("b", "127.0.0.3/32"), to("a", "127.0.0.2/32"), byName)
	client := netip.MustParseAddrPort("10.55.0.1:4000")
	for _, to := range []peer{remote, other, named} {
		s.inject(0, client, to.addr, []byte("x"))
		if _, port := to.take(); port != client {
			t.Errorf("%s hears from %s", to.addr, port)
		}
		e := s.workers[0].sourcedOf(client, to.addr, 0)
		if e == nil || to == named && e.Value.first.AddrPort() != named.addr {
			t.Errorf("%s: what comes back belongs to nothing, or another", to.addr)
		}
	}
	if st := s.stats(); st[count.FlowsOpened] != 3 {
		t.Errorf("counted %v", st)
	}
}

// TestRoutesByName has sessions of one destination each where names decide: the one
// with a name takes its outbound, and goes on so.
func TestRoutesByName(t *testing.T) {
	client := newPeer(t, "127.0.0.1:0")
	remote, other := newPeer(t, "127.0.0.2:0"), newPeer(t, "127.0.0.3:0")
	s := newRelays(t, 2, 10, 8, time.Minute)
	rule := route.Rule{Outbound: "a"}
	rule.Suffixes = []string{"example.org"}
	s.follow([]outbound.Spec{{Tag: "direct"}, from("a", "127.0.0.11")}, rule)
	for _, c := range []struct {
		remote     peer
		name, want string
	}{{remote, "www.example.org", "127.0.0.11"}, {other, "", "127.0.0.1"}} {
		m := loop.Received{Payload: []byte("x"), Segment: 1, Source: client.addr, Dest: c.remote.addr}
		s.on(0, func() {
			s.workers[0].release(&s.in, &m, c.name)
			s.workers[0].release(&s.in, &m, c.name)
		})
		_, port := c.remote.take()
		c.remote.take()
		s.inject(1, client.addr, c.remote.addr, []byte("y"))
		if _, again := c.remote.take(); again != port || port.Addr() != netip.MustParseAddr(c.want) {
			t.Errorf("%q: %s hears from %s and %s, want %s", c.name, c.remote.addr, port, again, c.want)
		}
	}
	if st := s.stats(); st[count.FlowsOpened] != 2 {
		t.Errorf("counted %v", st)
	}
}

// TestRoutesDoNotAllocate looks at datagrams of two destinations by turns, so that
// the rules are asked about each.
func TestRoutesDoNotAllocate(t *testing.T) {
	client := newPeer(t, "127.0.0.1:0")
	remotes := [...]peer{newPeer(t, "127.0.0.2:0"), newPeer(t, "127.0.0.3:0")}
	s := newRelays(t, 1, 10, 8, time.Minute)
	s.follow([]outbound.Spec{{Tag: "direct"}, from("a", "127.0.0.11")}, to("a", "127.0.0.3/32"))
	w := s.workers[0]
	var datagrams [2]loop.Received
	for i := range datagrams {
		datagrams[i] = receivedFrom(client.addr, remotes[i].addr)
	}
	var allocs float64
	s.on(0, func() {
		allocs = testing.AllocsPerRun(50, func() {
			for i := range 6 {
				w.put(&s.in, datagrams[i%2])
			}
			w.flush()
		})
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
