//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"testing"

	"sluice/bench/lab"
)

// divertSourcedPorts is divertSourced for the ports of TPROXY's ways, which leaves
// what is for the gateway itself to its forwards.
func divertSourcedPorts(l *lab.Lab) error {
	if err := l.TProxyNFT(tproxyPort, ports(tproxyFirst)...); err != nil {
		return err
	}
	return nft(l.Gateway, fmt.Sprintf(`table inet sourced {
	chain client_leg { type filter hook prerouting priority raw; iifname %[1]q meta l4proto { tcp, udp } ct zone set 1; }
	chain client_leg_out { type filter hook output priority raw; meta mark != %[2]d oifname %[1]q meta l4proto { tcp, udp } ct zone set 1; }
	chain own_leg { type filter hook output priority mangle; meta mark %[2]d fib saddr type != local ct mark set %[2]d; }
	chain replies { type filter hook prerouting priority mangle;
		iifname != %[1]q meta nfproto ipv4 meta l4proto udp ct direction reply ct mark %[2]d meta mark set 1 tproxy ip to 198.51.100.1:%[3]d accept
		iifname != %[1]q meta nfproto ipv6 meta l4proto udp ct direction reply ct mark %[2]d meta mark set 1 tproxy ip6 to [2001:db8::2]:%[3]d accept
	}
}`, lab.LAN, lab.ProxyMark, tproxyPort))
}

// TestViewsWithClientsSource asserts that servers behind a forward, and at a mapped
// port, see the client's address and port, and that the client hears from whom it
// asked.
func TestViewsWithClientsSource(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{divert: divertSourcedPorts, flags: []string{"--source=client", "--map=21000=50080",
		"--forward=:30000=10.77.2.2:8000,udp", "--forward=:30001=[fd77:2::2]:8000,udp", "--forward=:30002=10.77.2.2:8001,udp"}})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		mapped := startEcho(t, g.Server, netip.AddrPortFrom(w.server(), mappedPort))
		plain := startEcho(t, g.Server, w.dest(1))
		behind := startEcho(t, g.Server, netip.AddrPortFrom(w.server(), 8000))
		forward := netip.AddrPortFrom(w.gateway(), map[bool]uint16{false: 30000, true: 30001}[w.v6])
		c := g.udpClient(t, w)
		client := netip.AddrPortFrom(w.client(), c.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort().Port())
		for i := range 5 { // interleaved, from one port
			for _, asked := range []struct {
				dest netip.AddrPort
				e    *echo
			}{{w.dest(0), mapped}, {w.dest(1), plain}, {forward, behind}} {
				ask(t, c, asked.dest, fmt.Appendf(nil, "question %d to %v", i, asked.dest))
				if got := asked.e.last(); got != client {
					t.Errorf("the server behind %v saw %v, want %v", asked.dest, got, client)
				}
			}
		}
	})
	c := g.counters(t)
	if c.blemishes() > 0 || c.number("source_fallback") > 0 {
		t.Errorf("not all went well: %v", c)
	}
	// A server of another family than the client's cannot see its address.
	startEcho(t, g.Server, netip.MustParseAddrPort("10.77.2.2:8001"))
	w := way{tproxy: true, v6: true}
	ask(t, g.udpClient(t, w), netip.AddrPortFrom(w.gateway(), 30002), []byte("across"))
	g.untilCounter(t, "source_fallback", 1)
}
