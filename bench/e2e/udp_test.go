//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

func TestUDPSizes(t *testing.T) {
	t.Parallel()
	for name, shape := range map[string]lab.Options{"plain": {}, "bridge, jumbo, gro": {Bridge: true, MTU: 9000, GRO: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			udpSizes(t, startUDPGateway(t, setup{lab: shape, divert: divertOnBridge}))
		})
	}
}

// divertOnBridge diverts every port, after it has turned off br_netfilter, with
// which a bridge's packets pass PREROUTING before they are routed, and TPROXY has
// no effect. The sysctls exist only where that module is loaded.
func divertOnBridge(l *lab.Lab) error {
	for _, key := range []string{"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"} {
		if err := l.Gateway.Sysctl(key, "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return divertAll(l)
}

func udpSizes(t *testing.T, g *gateway) {
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e := startEcho(t, g.Server, w.dest(0))
		client := g.udpClient(t, w)
		for range 3 {
			for _, n := range []int{0, 1, 1200, 1472, 1473, 9000, 65507} {
				ask(t, client, e.at, payload(n))
			}
		}
		if seen := e.last().Addr(); seen != w.seen() {
			t.Errorf("the server saw %v, want the gateway", seen)
		}
		if got := e.seen[0]; e.last() != got {
			t.Errorf("the session's port changed from %v to %v", got, e.last())
		}
	})
	const datagrams = 2 * 3 * 7
	g.untilCounter(t, "datagrams_to_upstream", datagrams)
	g.untilCounter(t, "datagrams_to_client", datagrams) // counted after it was sent
}

// TestUDPMapping asserts endpoint-independent mapping and filtering (RFC 4787,
// REQ-1 and REQ-8).
func TestUDPMapping(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		hosts := []netip.AddrPort{
			netip.AddrPortFrom(w.server(), 53),
			netip.AddrPortFrom(w.server(), 443),
			netip.AddrPortFrom(w.pick("198.18.4.4", "2001:2::44"), 3478),
		}
		client := g.udpClient(t, w)
		var mapped []netip.AddrPort
		for _, host := range hosts {
			e := startEcho(t, g.Server, host)
			ask(t, client, host, payload(100))
			mapped = append(mapped, e.last())
		}
		if mapped[0] != mapped[1] || mapped[0] != mapped[2] {
			t.Fatalf("one client is %v to three destinations", mapped)
		}
		stranger := listenUDP(t, g.Server, netip.AddrPortFrom(w.pick("198.18.5.5", "2001:2::55"), 7777))
		for _, n := range []int{300, 0, 2000} {
			if _, err := stranger.WriteToUDPAddrPort(payload(n), mapped[0]); err != nil {
				t.Fatal(err)
			}
			got, err := next(client, patience)
			if err != nil || got.from.String() != stranger.LocalAddr().String() || !bytes.Equal(got.data, payload(n)) {
				t.Fatalf("%d bytes from a stranger came as %d from %v (%v)", n, len(got.data), got.from, err)
			}
		}
	})
}

// TestUDPClientsStayApart gives several clients one port on different addresses.
func TestUDPClientsStayApart(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e := startEcho(t, g.Server, w.dest(0))
		upstream := map[netip.AddrPort]int{}
		var clients []*net.UDPConn
		for i := range 20 {
			from := w.pick(fmt.Sprintf("10.78.0.%d", i+1), fmt.Sprintf("fd78::%x", i+1))
			clients = append(clients, listenUDP(t, g.Client, netip.AddrPortFrom(from, 5555)))
		}
		for i, c := range clients {
			ask(t, c, e.at, payload(i))
			upstream[e.last()] = i
		}
		if len(upstream) != len(clients) {
			t.Errorf("%d clients share %d upstream ports", len(clients), len(upstream))
		}
		for at, i := range upstream {
			if _, err := e.conn.WriteToUDPAddrPort(payload(1000+i), at); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range clients {
			if got, err := next(c, patience); err != nil || !bytes.Equal(got.data, payload(1000+i)) {
				t.Errorf("client %d got %d bytes (%v)", i, len(got.data), err)
			}
			wantNothingWaits(t, c)
		}
	})
}

func wantNothingWaits(t *testing.T, c *net.UDPConn) {
	t.Helper()
	if got, err := next(c, time.Millisecond); err == nil {
		t.Errorf("%d bytes more, from %v", len(got.data), got.from)
	}
}

// TestUDPRefusal asserts that an ICMP error ends nothing.
func TestUDPRefusal(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e := startEcho(t, g.Server, w.dest(0))
		client := g.udpClient(t, w)
		ask(t, client, e.at, payload(10))
		port := e.last()
		opened := g.counters(t).number("udp_sessions_opened")
		for range 5 {
			for range 20 {
				if _, err := client.WriteToUDPAddrPort(payload(20), w.dest(1)); err != nil { // closed there
					t.Fatal(err)
				}
			}
			ask(t, client, e.at, payload(30))
		}
		if e.last() != port {
			t.Errorf("the session's port changed from %v to %v", port, e.last())
		}
		if now := g.counters(t).number("udp_sessions_opened"); now != opened {
			t.Errorf("%d sessions opened, want %d", now, opened)
		}
	})
	g.assertIdle(t)
}

// TestUDPTimeout asserts that a session lives while there is traffic in either
// direction, and that it ends, with its fd, when there was none.
func TestUDPTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 2 * time.Second
	g := startUDPGateway(t, setup{flags: []string{"--udp-timeout=" + timeout.String()}})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		server := listenUDP(t, g.Server, w.dest(0))
		for _, keeper := range []string{"client", "server"} {
			client := g.udpClient(t, w)
			fds := g.FDs()
			send := func() { _, _ = client.WriteToUDPAddrPort([]byte("up"), w.dest(0)) }
			send()
			got, err := next(server, patience)
			if err != nil {
				t.Fatal(err)
			}
			mapped := got.from
			if keeper == "server" {
				send = func() { _, _ = server.WriteToUDPAddrPort([]byte("down"), mapped) }
			}
			pause, alive := time.NewTicker(timeout/8), time.After(timeout*3/2)
			for kept := true; kept; {
				select {
				case <-pause.C:
					send()
				case <-alive:
					kept = false
				}
			}
			pause.Stop()
			if n := g.counters(t).number("udp_sessions_now"); n != 1 {
				t.Errorf("%s keeps on sending, and there are %d sessions", keeper, n)
			}
			g.untilCounter(t, "udp_sessions_now", 0)
			until(t, "the session's fd is closed", func() bool { return g.FDs() <= fds+2*2 })
			if _, err := server.WriteToUDPAddrPort([]byte("late"), mapped); err != nil {
				t.Fatal(err)
			}
			for {
				got, err := next(client, 100*time.Millisecond)
				if err != nil {
					break
				}
				if string(got.data) == "late" {
					t.Error("a session delivered after its end")
				}
			}
			for err = error(nil); err == nil; { // what the client had sent
				_, err = next(server, time.Millisecond)
			}
		}
	})
}

// TestUDPTableIsBounded asserts that sessions that never had a reply make room
// first.
func TestUDPTableIsBounded(t *testing.T) {
	t.Parallel()
	const bound = 100
	g := startUDPGateway(t, setup{flags: []string{fmt.Sprintf("--udp-sessions=%d", bound), "--udp-timeout=6s"}})
	w := way{tproxy: true}
	e := startEcho(t, g.Server, w.dest(0))
	silent := listenUDP(t, g.Server, w.dest(1))
	replied := make([]*net.UDPConn, bound/2)
	upstream := make([]netip.AddrPort, bound/2)
	for i := range replied {
		replied[i] = g.udpClient(t, w)
		ask(t, replied[i], e.at, payload(i))
		upstream[i] = e.last()
	}
	for i := range 3 * bound {
		client := g.udpClient(t, w)
		if _, err := client.WriteToUDPAddrPort(payload(i), w.dest(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := next(silent, patience); err != nil {
			t.Fatal(err)
		}
		if i%50 == 0 {
			if now := g.counters(t).number("udp_sessions_now"); now > bound {
				t.Fatalf("%d sessions, want at most %d", now, bound)
			}
		}
	}
	c := g.counters(t)
	if now, evicted := c.number("udp_sessions_now"), c.number("udp_sessions_evicted"); now != bound || evicted != 3*bound-bound/2 {
		t.Errorf("%d sessions, %d evicted, want %d and %d", now, evicted, bound, 3*bound-bound/2)
	}
	for i, client := range replied {
		ask(t, client, e.at, payload(i))
		if e.last() != upstream[i] {
			t.Errorf("a session with replies was ended for one without")
		}
	}
}

// TestUDPBursts sends runs of datagrams by UDP_SEGMENT, so that they meet GRO
// and GSO in sluice, and asserts that none is lost, changed or out of order.
func TestUDPBursts(t *testing.T) {
	t.Parallel()
	for _, gro := range []bool{false, true} {
		t.Run(fmt.Sprintf("gro=%v", gro), func(t *testing.T) {
			t.Parallel()
			g := startUDPGateway(t, setup{lab: lab.Options{GRO: gro}})
			overWays(t, udpWays(), func(t *testing.T, w way) {
				e := startEcho(t, g.Server, w.dest(0))
				client := g.udpClient(t, w)
				for _, size := range []int{1, 100, 1200, 1400} {
					burst(t, client, e.at, size)
				}
				// Runs of one client to two destinations, mixed.
				other := startEcho(t, g.Server, w.dest(1))
				burst(t, client, other.at, 999)
				burst(t, client, e.at, 999)
			})
		})
	}
}

// burst sends 40 datagrams of a size and a shorter last one in one call, and
// reads their echoes.
func burst(t *testing.T, c *net.UDPConn, dest netip.AddrPort, size int) {
	t.Helper()
	const full = 40
	data := payload(full*size + size/2)
	control(t, c, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, size) })
	_, err := c.WriteToUDPAddrPort(data, dest)
	control(t, c, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, 0) })
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		want := data[:min(size, len(data))]
		got, err := next(c, patience)
		if err != nil || got.from != dest || !bytes.Equal(got.data, want) {
			t.Fatalf("%d bytes from %v (%v), want %d of %v", len(got.data), got.from, err, len(want), dest)
		}
		data = data[len(want):]
	}
}

// TestUDPPortHeldByAnother asserts that replies bear their source also where a
// service of the gateway's own holds that port, without SO_REUSEADDR.
func TestUDPPortHeldByAnother(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		held := netip.AddrPortFrom(w.pick("0.0.0.0", "::"), 5353)
		service := listenUDP(t, g.Gateway, held)
		e := startEcho(t, g.Server, netip.AddrPortFrom(w.server(), 5353))
		client := g.udpClient(t, w)
		before := g.counters(t).number("write_back_fallback")
		sizes := []int{0, 1, 2, 3, 1200, 1472, 1473, 9000, 65507}
		for _, n := range sizes {
			ask(t, client, e.at, payload(n))
		}
		g.untilCounter(t, "write_back_fallback", before+len(sizes))
		for _, size := range []int{100, 1200} {
			burst(t, client, e.at, size)
		}
		wantNothing(t, service)
	})
}

// TestLinkLocalClient asserts that a client which has no other IPv6 address than
// that of its link is served: replies must name the link.
func TestLinkLocalClient(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{flags: []string{"--udp-timeout=2s"}})
	g.shared = writeBackFDs
	from := linkLocal(t, g.Client)
	for _, w := range []way{{v6: true}, {v6: true, tproxy: true}} {
		ln := listenTCP(t, g.Server, w.dest(0))
		client := inside(t, g.Client, func() (*net.TCPConn, error) { return connect(from, w.dest(0)) })
		server := accept(t, ln)
		mustWrite(t, client, payload(1000))
		client.Close()
		wantEnd(t, server, payload(1000))
		server.Close()
	}
	e := startEcho(t, g.Server, way{v6: true, tproxy: true}.dest(1))
	client := listenUDP(t, g.Client, from)
	for _, n := range []int{0, 100, 20_000} {
		ask(t, client, e.at, payload(n))
	}
}

// linkLocal is the namespace's own address on the lan, with its zone.
func linkLocal(t *testing.T, ns *lab.Namespace) netip.AddrPort {
	t.Helper()
	return inside(t, ns, func() (netip.AddrPort, error) {
		lan, err := net.InterfaceByName(lab.LAN)
		if err != nil {
			return netip.AddrPort{}, err
		}
		addrs, err := lan.Addrs()
		for _, a := range addrs {
			if p := netip.MustParsePrefix(a.String()); p.Addr().IsLinkLocalUnicast() {
				return netip.AddrPortFrom(p.Addr().WithZone(fmt.Sprint(lan.Index)), 0), nil
			}
		}
		return netip.AddrPort{}, fmt.Errorf("no link-local address on %s: %v, %v", lab.LAN, addrs, err)
	})
}
