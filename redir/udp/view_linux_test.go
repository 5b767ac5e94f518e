package udp

import (
	"net/netip"
	"testing"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/portmap"
	"sluice/redir/resolve"
)

// mapOf is the map of some rules.
func mapOf(t *testing.T, texts ...string) *portmap.Map {
	t.Helper()
	var rules []portmap.Rule
	for _, text := range texts {
		r, err := portmap.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, r)
	}
	m, err := portmap.New(rules)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestViewOfMap asserts that what leaves bears the server's port and what comes
// back the client's, and that other remotes are seen as they are.
func TestViewOfMap(t *testing.T) {
	t.Parallel()
	w := &Worker{set: &Settings{Ports: mapOf(t, "80=50080")}}
	for _, host := range []string{"192.0.2.7", "2001:db8::7"} {
		at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(host), port) }
		m := &loop.Received{Source: netip.MustParseAddrPort("10.0.0.2:4000"), Dest: at(80)}
		in := &inbound.Inbound{Spec: inbound.Spec{Kind: inbound.TProxy}}
		to, cause := w.leadsTo(in, m, outbound.Plain(in))
		if cause != 0 || to != at(50080) {
			t.Fatalf("leads to %v (%v)", to, cause)
		}
		f := &flow{view: viewOf(in, m, to)}
		if got, _ := f.sentTo(m); got != at(50080) {
			t.Errorf("%v is sent to %v", m.Dest, got)
		}
		for remote, want := range map[uint16]uint16{50080: 80, 443: 443, 80: 80} {
			m := &loop.Received{Source: at(remote)}
			if !f.known(m) || m.Source != at(want) {
				t.Errorf("port %d is known as %v, want %d", remote, m.Source, want)
			}
		}
		other := &loop.Received{Dest: at(443)}
		if to, _ := w.leadsTo(in, other, outbound.Plain(in)); to != at(443) || viewOf(in, other, to) != nil {
			t.Errorf("a port that is not mapped has a view, of %v", to)
		}
	}
}

// TestViewOfForward asserts that the client knows the forward's address alone, also
// where it leads to another family, and that strangers are not let in.
func TestViewOfForward(t *testing.T) {
	t.Parallel()
	relays := newRelays(t, 1, 8, 8, 0)
	w := relays.workers[0]
	dest := netip.MustParseAddrPort("[2001:db8::7]:53")
	in := &inbound.Inbound{Spec: inbound.Spec{Kind: inbound.Direct}, Dests: resolve.Fixed(dest)}
	m := &loop.Received{Source: netip.MustParseAddrPort("10.0.0.2:4000"), Dest: netip.MustParseAddrPort("10.0.0.1:5300")}
	to, cause := w.leadsTo(in, m, outbound.Plain(in))
	if cause != 0 || to != dest {
		t.Fatalf("leads to %v (%v)", to, cause)
	}
	v := viewOf(in, m, to)
	f := &flow{view: v}
	if got, _ := f.sentTo(m); got != dest {
		t.Errorf("sent to %v", got)
	}
	if back := (&loop.Received{Source: dest}); !f.known(back) || back.Source != m.Dest {
		t.Errorf("the reply is known as %v", back.Source)
	}
	for _, stranger := range []string{"[2001:db8::7]:54", "[2001:db8::8]:53", "10.0.0.1:53"} {
		if f.known(&loop.Received{Source: netip.MustParseAddrPort(stranger)}) {
			t.Errorf("%s is let in", stranger)
		}
	}
	if !f.asks(m.Dest) {
		t.Error("a forward that leads to a DNS server is no place for lookups")
	}
	router := netip.MustParseAddr("2001:db8::1")
	if v.offender(dest.Addr()) != m.Dest.Addr() || v.offender(router) != router {
		t.Error("errors name the destination, or not the router")
	}
	in.Dests = nil
	if _, cause := w.leadsTo(in, m, outbound.Plain(in)); cause != count.RefusedUnresolved {
		t.Errorf("without an address: %v", cause)
	}
}

// TestVariants asserts that flows of one client are told apart where they see their
// remotes in different ways, and only there.
func TestVariants(t *testing.T) {
	t.Parallel()
	w := &Worker{set: &Settings{Ports: mapOf(t, "80=50080", "81=50080")}}
	tproxy, direct := &inbound.Inbound{Spec: inbound.Spec{Kind: inbound.TProxy}}, &inbound.Inbound{Spec: inbound.Spec{Kind: inbound.Direct}}
	seen := map[uint32]string{}
	for _, at := range []string{"192.0.2.7:80", "192.0.2.7:81", "192.0.2.7:50080"} {
		v := w.variant(tproxy, netip.MustParseAddrPort(at), trait{})
		if other, taken := seen[v]; taken {
			t.Errorf("%s is taken for %s", at, other)
		}
		seen[v] = at
	}
	for _, pair := range [][2]string{{"192.0.2.7:80", "192.0.2.8:80"}, {"192.0.2.7:443", "192.0.2.7:50080"}} {
		if w.variant(tproxy, netip.MustParseAddrPort(pair[0]), trait{}) != w.variant(tproxy, netip.MustParseAddrPort(pair[1]), trait{}) {
			t.Errorf("%v are told apart", pair)
		}
	}
	clear(seen)
	for _, at := range []string{"10.0.0.1:53", "10.0.0.2:53", "127.0.0.1:53", "[fd00::1]:53", "[fd00::2]:53", "[fd00:1::1]:53", "[::1]:53"} {
		v := w.variant(direct, netip.MustParseAddrPort(at), trait{})
		if other, taken := seen[v]; taken {
			t.Errorf("%s is taken for %s", at, other)
		}
		seen[v] = at
	}
}
