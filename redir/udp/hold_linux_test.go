package udp

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/outbound"
	"sluice/redir/record"
	"sluice/redir/route"
)

// flightOf is what a client of quic-go begins with, as long as nobody answers: a
// hello that takes so many datagrams.
func flightOf(t testing.TB, name string, datagrams int) [][]byte {
	t.Helper()
	server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var protocols []string
	for i := range (datagrams - 2) * 5 {
		protocols = append(protocols, fmt.Sprintf("%d%s", i, strings.Repeat("p", 200)))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		quic.DialAddr(ctx, server.LocalAddr().String(), &tls.Config{ServerName: name, NextProtos: append(protocols, "h3")}, nil)
	}()
	defer func() { cancel(); <-done }()
	server.SetReadDeadline(time.Now().Add(patience))
	var flight [][]byte
	for range datagrams {
		b := make([]byte, 2048)
		n, err := server.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		flight = append(flight, b[:n])
	}
	return flight
}

// names are workers that are asked for the names of what client sends to dest.
type seekers struct {
	*relays
	client, dest netip.AddrPort
}

// seek asks for the name of each payload, all in one turn, and tells what the last
// was told, and how many were taken.
func (s seekers) seek(payloads ...[]byte) (name string, taken int) {
	s.t.Helper()
	s.on(0, func() {
		for _, p := range payloads {
			m := loop.Received{Payload: bytes.Clone(p), Segment: len(p), Source: s.client, Dest: s.dest}
			found, held := s.workers[0].names.seek(&s.in, &m)
			if name = strings.Clone(found); held {
				taken++
			}
			clear(m.Payload) // the slot is used again
		}
	})
	return name, taken
}

// rests asserts that nothing is held any more.
func (s seekers) rests() {
	s.t.Helper()
	s.on(0, func() {
		n := &s.workers[0].names
		if len(n.holds)+len(n.of)+len(n.waiting)+len(n.settled)+n.bytes > 0 {
			s.t.Errorf("%d are held, of %d clients, %d wait, %d are settled, %d bytes", len(n.holds), len(n.of), len(n.waiting), len(n.settled), n.bytes)
		}
	})
}

// newSeekers are for a client and a remote of a family, whose patience is so long.
func newSeekers(t *testing.T, client, remote string, patience time.Duration) (seekers, peer) {
	p := newPeer(t, remote)
	s := seekers{newRelays(t, 1, 1000, 8, time.Minute), netip.MustParseAddrPort(client), p.addr}
	s.on(0, func() { s.workers[0].set.SniffTimeout = patience })
	return s, p
}

var holdFamilies = []struct{ client, remote string }{
	{"192.0.2.1:5000", "127.0.0.2:0"},
	{"[2001:db8::1]:5000", "[::1]:0"},
}

// expect asserts what a remote gets, in its order.
func (p peer) expect(what string, want [][]byte) {
	p.t.Helper()
	for i := range want {
		if got, _ := p.take(); !bytes.Equal(got, want[i]) {
			p.t.Errorf("%s: datagram %d has %d bytes, want %d", what, i, len(got), len(want[i]))
		}
	}
}

// TestHoldLetsGoInOrder has a hello come in two datagrams, which come by themselves
// or in one turn, with others behind them.
func TestHoldLetsGoInOrder(t *testing.T) {
	flight := flightOf(t, "www.example.com", 2)
	all := append(slices.Clone(flight), []byte("\x40what follows"), []byte{})
	for _, family := range holdFamilies {
		s, remote := newSeekers(t, family.client, family.remote, time.Minute)
		if _, taken := s.seek(all...); taken != len(all) {
			t.Errorf("%d are held of %d", taken, len(all))
		}
		remote.expect("in one turn", all)
		s.rests()
		for _, b := range flight {
			s.seek(b)
		}
		remote.expect("by themselves", flight)
		s.rests()
		if st := s.stats(); st[count.SniffedQUIC] != 2 || st[count.SniffedNone] != 0 || st[count.FlowsOpened] != 1 {
			t.Errorf("counted %v", st)
		}
	}
}

// TestNameChoosesTheSession has rules decide by hellos of two datagrams, of whole
// sessions: what comes later goes where they went.
func TestNameChoosesTheSession(t *testing.T) {
	byName := func(outbound, name string) route.Rule {
		r := route.Rule{Outbound: outbound}
		r.Suffixes = []string{name}
		return r
	}
	s := newRelays(t, 1, 10, 8, time.Minute)
	s.follow([]outbound.Spec{{Tag: "direct"}, from("a", "127.0.0.11"), {Kind: outbound.Block, Tag: "b"}},
		byName("a", "a.example"), byName("b", "b.example"))
	s.on(0, func() { s.workers[0].set.SniffTimeout = time.Minute })
	client := newPeer(t, "127.0.0.1:0")
	for name, want := range map[string]string{"www.a.example": "127.0.0.11", "www.example.com": "127.0.0.1", "www.b.example": ""} {
		remote := newPeer(t, "127.0.0.2:0")
		flight := flightOf(t, name, 2)
		for _, b := range flight {
			s.inject(0, client.addr, remote.addr, b)
		}
		if want == "" {
			if st := s.stats(); st[count.RefusedBlocked] == 0 {
				t.Errorf("%s: counted %v", name, st)
			}
			continue
		}
		s.inject(0, client.addr, remote.addr, []byte("\x40more"))
		for i, b := range append(flight, []byte("\x40more")) {
			got, port := remote.take()
			if !bytes.Equal(got, b) || port.Addr() != netip.MustParseAddr(want) {
				t.Errorf("%s: datagram %d has %d bytes of %d, from %s", name, i, len(got), len(b), port)
			}
		}
	}
	if st := s.stats(); st[count.SniffedQUIC] != 3 || st[count.FlowsOpened] != 2 {
		t.Errorf("counted %v", st)
	}
}

// TestSessionKeepsItsName has other clients' hellos looked at after a session's own.
func TestSessionKeepsItsName(t *testing.T) {
	s := newRelays(t, 1, 10, 8, time.Minute)
	rule := route.Rule{Outbound: "a"}
	rule.Suffixes = []string{"example"}
	s.follow([]outbound.Spec{{Tag: "direct"}, from("a", "127.0.0.11")}, rule)
	s.on(0, func() { s.workers[0].set.SniffTimeout = time.Minute })
	want := map[netip.AddrPort]string{}
	for _, name := range []string{"www.a.example", "zz.b.example", "other.example"} {
		client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
		want[client.addr] = name
		for _, b := range flightOf(t, name, 2) {
			s.inject(0, client.addr, remote.addr, b)
		}
		remote.take()
	}
	for _, session := range s.workers[0].shared.Sessions() {
		var r record.Record
		s.on(0, func() { s.workers[0].Record(session, record.Full, &r) })
		if r.Name != want[r.Client] {
			t.Errorf("the session to %s is called %q", want[r.Client], r.Name)
		}
		delete(want, r.Client)
	}
	if len(want) > 0 {
		t.Errorf("no sessions to %v", want)
	}
}

// TestHoldIsShort asserts that what needs no second datagram is not held: what is
// not QUIC, and a hello that comes as one run.
func TestHoldIsShort(t *testing.T) {
	flight := flightOf(t, "www.example.com", 2)
	s, _ := newSeekers(t, "192.0.2.1:5000", "127.0.0.2:0", time.Minute)
	for _, b := range [][]byte{{}, []byte("query"), {0x40, 1, 2}, bytes.Repeat([]byte{0xc0}, 1200)} {
		if name, taken := s.seek(b); name != "" || taken != 0 {
			t.Errorf("%q: %q, %d are held", b, name, taken)
		}
	}
	if len(flight[0]) < len(flight[1]) {
		t.Fatalf("%d bytes, then %d, are no run", len(flight[0]), len(flight[1]))
	}
	s.on(0, func() {
		m := loop.Received{Payload: slices.Concat(flight...), Segment: len(flight[0]), Source: s.client, Dest: s.dest}
		if name, taken := s.workers[0].names.seek(&s.in, &m); name != "www.example.com" || taken {
			t.Errorf("a run: %q, %v", name, taken)
		}
	})
	s.rests()
	s.on(0, func() { s.workers[0].set.SniffTimeout = 0 })
	if name, taken := s.seek(flight[0]); name != "" || taken != 0 {
		t.Errorf("turned off: %q, %d are held", name, taken)
	}
}

// TestHoldEnds asserts that what waits in vain is let go: when its time is over,
// when there is too much of it, and at the end.
func TestHoldEnds(t *testing.T) {
	flight := flightOf(t, "www.example.com", 2)
	for _, family := range holdFamilies {
		s, remote := newSeekers(t, family.client, family.remote, 30*time.Millisecond)
		s.seek(flight[0])
		remote.expect("late", flight[:1])
		s.rests()
		s.on(0, func() { s.workers[0].set.SniffTimeout = time.Minute })
		again := make([][]byte, mostHeld+3)
		for i := range again {
			again[i] = flight[0]
		}
		s.seek(again...)
		remote.expect("too many", again)
		s.rests()
		s.seek(flight[0])
		s.on(0, s.workers[0].Close)
		remote.expect("the end", flight[:1])
	}
}

// TestHoldsAreBounded has clients begin more sessions at once than may wait.
func TestHoldsAreBounded(t *testing.T) {
	first := flightOf(t, "www.example.com", 2)[0]
	s, _ := newSeekers(t, "[2001:db8::1]:5000", "[::1]:0", time.Minute)
	held := func(from string) (n int) {
		s.client = netip.MustParseAddrPort(from)
		for i := range mostHoldsOf + 1 {
			s.dest = netip.AddrPortFrom(s.dest.Addr(), uint16(1000+i))
			_, taken := s.seek(first)
			n += taken
		}
		return n
	}
	if n := held("[2001:db8::1]:5000"); n != mostHoldsOf {
		t.Errorf("%d of one client wait", n)
	}
	if n := held("[2001:db8::2]:5000"); n != 0 {
		t.Errorf("%d more of its network wait", n)
	}
	all := mostHoldsOf
	for i := range 2 * mostHolds / mostHoldsOf {
		all += held(fmt.Sprintf("[2001:db8:1:%x::1]:5000", i))
	}
	if all != mostHolds {
		t.Errorf("%d wait", all)
	}
	s.on(0, s.workers[0].names.close)
	s.rests()
}

// TestHoldBoundsBytes asserts that what a client sends while it waits is not kept
// without bound.
func TestHoldBoundsBytes(t *testing.T) {
	flight := flightOf(t, "www.example.com", 2)
	s, _ := newSeekers(t, "192.0.2.1:5000", "127.0.0.2:0", time.Minute)
	all := slices.Clone(flight)
	for range mostHeldBytes / 65000 {
		all = append(all, make([]byte, 65000))
	}
	if _, taken := s.seek(append(all, make([]byte, 65000))...); taken != len(all)+1 {
		t.Errorf("%d are taken of %d", taken, len(all)+1)
	}
	s.rests()
	if st := s.stats(); st[count.DroppedNoSession] != 1 {
		t.Errorf("%d are dropped", st[count.DroppedNoSession])
	}
}

// TestHoldHeedsTheGate asserts that while sessions may not be opened, nobody looks
// at what would begin them.
func TestHoldHeedsTheGate(t *testing.T) {
	first := flightOf(t, "www.example.com", 2)[0]
	s, _ := newSeekers(t, "192.0.2.1:5000", "127.0.0.2:0", time.Minute)
	s.on(0, func() {
		w := s.workers[0]
		w.gate.rate, w.gate.tokens, w.gate.filled = 1, 0, w.r.Now()
	})
	if name, taken := s.seek(first); name != "" || taken != 1 {
		t.Errorf("%q, %d are taken", name, taken)
	}
	s.rests()
	if st := s.stats(); st[count.DroppedFlood] != 1 {
		t.Errorf("counted %v", st)
	}
}

// TestHoldIsRelabelled asserts that what waits goes on by the inbound that another
// has become.
func TestHoldIsRelabelled(t *testing.T) {
	flight := flightOf(t, "www.example.com", 2)
	s, remote := newSeekers(t, "192.0.2.1:5000", "127.0.0.2:0", time.Minute)
	s.seek(flight[0])
	from, to := &s.in, s.in
	s.on(0, func() {
		n := &s.workers[0].names
		n.relabel(from, &to)
		for _, h := range n.holds {
			if h.in != &to || n.holds[h.pair] != h {
				t.Error("it has the inbound that it had")
			}
		}
		m := loop.Received{Payload: flight[1], Segment: len(flight[1]), Source: s.client, Dest: s.dest}
		n.seek(&to, &m)
	})
	remote.expect("another inbound", flight)
	s.rests()
}

// TestSeekDoesNotAllocate asserts it of datagrams that are not QUIC's.
func TestSeekDoesNotAllocate(t *testing.T) {
	s, _ := newSeekers(t, "192.0.2.1:5000", "127.0.0.2:0", time.Minute)
	s.seek([]byte("query"))
	s.on(0, func() {
		m := loop.Received{Payload: []byte("query"), Segment: 5, Source: s.client, Dest: s.dest}
		if n := testing.AllocsPerRun(100, func() { s.workers[0].names.seek(&s.in, &m) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
