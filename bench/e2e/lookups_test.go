//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"sluice/bench/lab"
)

// phone is a client that has registered and waits to be called.
type phone struct {
	conn   *net.UDPConn
	mapped netip.AddrPort // as the server saw it
}

// register makes exchanges with a server and leaves it.
func (g *gateway) register(t *testing.T, w way, e *echo, exchanges int) phone {
	t.Helper()
	conn := g.udpClient(t, w)
	for i := range exchanges {
		ask(t, conn, e.at, payload(i))
	}
	return phone{conn, e.last()}
}

// assertReachable has the server call the phone.
func (p phone) assertReachable(t *testing.T, e *echo) {
	t.Helper()
	if _, err := e.conn.WriteToUDPAddrPort([]byte("INVITE"), p.mapped); err != nil {
		t.Fatal(err)
	}
	if got, err := next(p.conn, patience); err != nil || got.from != e.at || string(got.data) != "INVITE" {
		t.Errorf("the call did not reach the phone: %q from %v (%v)", got.data, got.from, err)
	}
}

// stop ends sluice, whose sessions would go on for long.
func (g *gateway) stop(t *testing.T) {
	t.Helper()
	g.signal(t, syscall.SIGTERM)
	g.assertExit(t)
}

// TestLookupsEndNoCall has phones register, and far more lookups follow than the
// table holds, from the phones' own address, answered or not.
func TestLookupsEndNoCall(t *testing.T) {
	t.Parallel()
	const bound, lookups, own = 200, 1000, 10 // own: sockets of the test itself
	for name, c := range map[string]struct{ phone, lookup int }{
		"one exchange each":  {2, 1},
		"two exchanges each": {4, 2},
		"no answer":          {2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startUDPGateway(t, setup{flags: []string{fmt.Sprintf("--udp-sessions=%d", bound), "--udp-timeout=1h"}})
			overWays(t, udpWays(), func(t *testing.T, w way) {
				server, silent := startEcho(t, g.Server, w.dest(0)), listenUDP(t, g.Server, w.dest(1))
				waits := g.register(t, w, server, c.phone)
				before := g.counters(t).number("udp_sessions_evicted")
				for i := range lookups {
					client := g.udpClient(t, w)
					for range c.lookup {
						ask(t, client, server.at, payload(i))
					}
					if c.lookup == 0 {
						if _, err := client.WriteToUDPAddrPort(payload(i), w.dest(1)); err != nil {
							t.Fatal(err)
						}
						if _, err := next(silent, patience); err != nil {
							t.Fatal(err)
						}
					}
					client.Close()
				}
				if n := g.counters(t).number("udp_sessions_evicted") - before; n < lookups-bound-own {
					t.Errorf("%d sessions were evicted: no test of who makes room", n)
				}
				waits.assertReachable(t, server)
			})
			g.stop(t)
		})
	}
}

// TestLookupsEndSooner asserts that a session which asked at port 53 ends after
// --udp-query-timeout, and neither one that also wrote elsewhere, nor one that
// talks there, nor one that asked at another port.
func TestLookupsEndSooner(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{flags: []string{"--udp-timeout=1h", "--udp-query-timeout=1s"}})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		dns, other := startEcho(t, g.Server, netip.AddrPortFrom(w.server(), 53)), startEcho(t, g.Server, w.dest(0))
		before := g.counters(t).number("udp_sessions_now")
		elsewhere := g.register(t, w, other, 1)
		both := g.register(t, w, dns, 1)
		ask(t, both.conn, other.at, payload(1))
		talks := g.register(t, w, dns, 3)
		const lookups = 20
		for range lookups {
			g.register(t, w, dns, 1)
		}
		g.untilCounter(t, "udp_sessions_now", before+3)
		if n := g.counters(t).number("udp_sessions_evicted"); n != 0 {
			t.Errorf("%d sessions were evicted", n)
		}
		pass(2 * time.Second)
		elsewhere.assertReachable(t, other)
		both.assertReachable(t, dns)
		talks.assertReachable(t, dns)
	})
	g.stop(t)
}

// TestPortsBoundSessions asserts that sluice plans with the ports that the
// gateway has, says so, and serves whoever comes where they run out: a session
// that makes room may give its port back only after its successor wanted one, so
// that a first datagram may be lost, and not the next.
func TestPortsBoundSessions(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{
		divert: func(l *lab.Lab) error {
			if err := l.Gateway.Sysctl("net/ipv4/ip_local_port_range", "40000 40099"); err != nil {
				return err
			}
			return divertAll(l)
		},
		flags: []string{"--udp-timeout=1h"},
	})
	ready := g.log.since(0, message("ready"))
	if len(ready) != 1 || ready[0].number("udp_sessions") != 97 || ready[0]["udp_sessions_bound"] != "ip_local_port_range" {
		t.Errorf("%v is said, want 97 sessions, bound by ports", ready)
	}
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e := startEcho(t, g.Server, w.dest(0))
		for i := range 300 {
			client := g.udpClient(t, w)
			until(t, "an answer", func() bool {
				if _, err := client.WriteToUDPAddrPort(payload(i), e.at); err != nil {
					t.Fatal(err)
				}
				got, err := next(client, time.Second)
				return err == nil && got.from == e.at && len(got.data) == i
			})
			client.Close()
		}
	})
	g.stop(t)
}
