//go:build linux

package e2e

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// refusals are upstreams that cannot be had. prepare makes the destination so;
// the others' destination is simply closed.
var refusals = []struct {
	name, cause string
	v4, v6      string // destination
	prepare     func(*testing.T, *gateway)
}{
	{"refused", "upstream_refused", lab.Server4, lab.Server6, nil},
	{"no route", "upstream_unreachable", "198.19.0.1", "2001:2:0:1::1", func(t *testing.T, g *gateway) {
		run(t, g.Gateway, "ip", "route", "add", "unreachable", "198.19.0.0/24")
		run(t, g.Gateway, "ip", "route", "add", "unreachable", "2001:2:0:1::/64")
	}},
	{"unreachable by icmp", "upstream_unreachable", "198.19.1.1", "2001:2:0:2::1", func(t *testing.T, g *gateway) {
		filter(t, g.Server, "ip daddr 198.19.1.0/24 reject with icmp host-unreachable",
			"ip6 daddr 2001:2:0:2::/64 reject with icmpv6 addr-unreachable")
	}},
	{"no answer", "upstream_timeout", "198.19.2.1", "2001:2:0:3::1", func(t *testing.T, g *gateway) {
		filter(t, g.Server, "ip daddr 198.19.2.0/24 drop", "ip6 daddr 2001:2:0:3::/64 drop")
	}},
}

// An ICMP error that comes while connect(2) still holds the socket is only noted
// (tcp_v4_err, sock_owned_by_user), and takes effect when the SYN is repeated
// after a second: connectLimit leaves time for that.
const connectLimit = 3 * time.Second

// TestRefusals asserts that a client whose upstream cannot be had gets a reset,
// and that one line names it, the destination and the cause.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{flags: []string{"--connect-timeout=" + connectLimit.String()}})
			if c.prepare != nil {
				c.prepare(t, g)
			}
			overWays(t, ways(), func(t *testing.T, w way) {
				dest := netip.AddrPortFrom(w.pick(c.v4, c.v6), w.port(0))
				client := netip.AddrPortFrom(w.client(), 20000+dest.Port())
				before := g.log.Len()
				wantRefused(t, g, client, dest)
				g.counters(t) // its line comes after all that was logged before
				lines := g.log.since(before, func(e entry) bool {
					return e.text("level") == "debug" && e.text("cause") == c.cause && e.text("error") != "" &&
						e.text("client") == client.String() && e.text("dest") == dest.String()
				})
				if len(lines) != 1 {
					t.Errorf("%d lines of cause %s", len(lines), c.cause)
				}
			})
			if n := g.counters(t).number(c.cause); n != 4 {
				t.Errorf("%s is %d, want 4", c.cause, n)
			}
		})
	}
}

// TestRefusalsDoNotFloodTheLog asserts that lines of one cause are limited, and
// that the count is not.
func TestRefusalsDoNotFloodTheLog(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	const attempts = 300
	dest := way{}.dest(0)
	for range attempts {
		wantRefused(t, g, netip.AddrPortFrom(way{}.client(), 0), dest)
	}
	if n := g.counters(t).number("upstream_refused"); n != attempts {
		t.Errorf("counted %d, want %d", n, attempts)
	}
	lines := g.log.since(0, func(e entry) bool { return e.text("cause") == "upstream_refused" })
	if len(lines) == 0 || len(lines) > attempts/2 {
		t.Errorf("%d lines for %d refusals", len(lines), attempts)
	}
}

// wantRefused connects, which diverted connections do at once, and asserts that a
// reset follows, which may overtake the end of connect(2).
func wantRefused(t *testing.T, g *gateway, from, dest netip.AddrPort) {
	t.Helper()
	err := g.Client.Do(func() error {
		conn, err := connect(from, dest)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
		return err
	})
	if !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("%v got %v, want a reset", dest, err)
	}
}

// run runs a program inside a namespace to its end.
func run(t *testing.T, ns *lab.Namespace, program string, args ...string) {
	t.Helper()
	if err := ns.Run(t.Context(), program, args...); err != nil {
		t.Fatal(err)
	}
}

// filter adds nftables rules on what enters a namespace. The table lives in the
// lab and goes with it.
func filter(t *testing.T, ns *lab.Namespace, rules ...string) {
	t.Helper()
	text := "add table inet e2e; add chain inet e2e in { type filter hook prerouting priority -400; };"
	for _, rule := range rules {
		text += "add rule inet e2e in " + rule + ";"
	}
	run(t, ns, "nft", text)
}
