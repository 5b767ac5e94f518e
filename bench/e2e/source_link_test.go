//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// The server's address on the client's own link.
const (
	neighbour4 = "10.77.1.77"
	neighbour6 = "fd77:1::77"
)

// onOneLink gives the server a second link, into the gateway's bridge, and an
// address there, which the client reaches by way of the gateway all the same.
func (g *gateway) onOneLink(t *testing.T) {
	t.Helper()
	server := "/run/netns/" + g.Server.Name
	run(t, g.Gateway, "ip", "link", "add", "lan1", "type", "veth", "peer", "name", "side", "netns", server)
	run(t, g.Gateway, "ip", "link", "set", "lan1", "master", lab.LAN, "up")
	run(t, g.Server, "ip", "link", "set", "side", "up")
	run(t, g.Server, "ip", "address", "add", neighbour4+"/24", "dev", "side")
	run(t, g.Server, "ip", "address", "add", neighbour6+"/64", "dev", "side", "nodad")
	run(t, g.Client, "ip", "route", "add", neighbour4+"/32", "via", lab.GatewayLAN4)
	run(t, g.Client, "ip", "route", "add", neighbour6+"/128", "via", lab.GatewayLAN6)
}

// TestSourceOnOneLink has the server on the client's own link, where it would
// answer the client past the gateway: it sees the gateway, or, where the client's
// source is all that will do, the client is refused. Both are counted.
func TestSourceOnOneLink(t *testing.T) {
	t.Parallel()
	for _, fallback := range []string{"gateway", "refuse"} {
		t.Run(fallback, func(t *testing.T) {
			t.Parallel()
			overSources(t, []source{clientSource, addressSource}, func(t *testing.T, s source) {
				g := startSourceWith(t, s, setup{lab: lab.Options{Bridge: true}, flags: []string{"--sysctl", "--source-fallback=" + fallback}})
				g.onOneLink(t)
				for _, w := range udpWays() {
					at := netip.AddrPortFrom(w.pick(neighbour4, neighbour6), w.port(0))
					startWitness(t, g.Server, at)
					startWitness(t, g.Server, w.dest(0))
					before := g.fallbacks(t)
					if fallback == "gateway" {
						g.assertCarries(t, ownSource, w, w.client(), at)
					} else {
						g.assertRefuses(t, w, at)
					}
					if after := g.fallbacks(t); after == before {
						t.Errorf("%v: no counter tells of it: %v", w, g.counters(t))
					}
					g.assertCarries(t, s, w, w.normal(), w.dest(0)) // whom the server answers by the gateway
				}
			})
		})
	}
}

// fallbacks are all counters of sources that could not be had.
func (g *gateway) fallbacks(t *testing.T) (n int) {
	t.Helper()
	c := g.counters(t)
	for name := range c {
		if strings.Contains(name, "source") {
			n += c.number(name)
		}
	}
	return n
}

// assertRefuses asserts that a connection is reset and that datagrams are not
// answered.
func (g *gateway) assertRefuses(t *testing.T, w way, at netip.AddrPort) {
	t.Helper()
	if conn, seen, err := callTCP(g.Client, netip.AddrPort{}, at); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("tcp to %v: %v, the server sees %v; want a reset", at, err, seen)
		if err == nil {
			conn.Close()
		}
	}
	if seen, err := askUDP(g.udpClient(t, w), at, 300*time.Millisecond); err == nil {
		t.Errorf("udp to %v: the server sees %v; want no answer", at, seen)
	}
}

// TestSourceOfTheGateway has the gateway itself as the client: it keeps its own
// address, whatever the source.
func TestSourceOfTheGateway(t *testing.T) {
	t.Parallel()
	overSources(t, []source{clientSource, addressSource}, func(t *testing.T, s source) {
		g := startSource(t, s, "--output")
		for _, w := range udpWays() {
			startWitness(t, g.Server, w.dest(0))
			conn, seen, err := callTCP(g.Gateway, netip.AddrPort{}, w.dest(0))
			if err != nil {
				t.Fatal(err)
			}
			if seen.Addr() != w.seen() {
				t.Errorf("the server sees %v", seen)
			}
			if err := echoed(conn); err != nil {
				t.Error(err)
			}
			conn.Close()
			socket := listenUDP(t, g.Gateway, netip.AddrPortFrom(w.pick("0.0.0.0", "::"), 0))
			if seen, err := askUDP(socket, w.dest(0), patience); err != nil || seen.Addr() != w.seen() {
				t.Errorf("the server sees %v: %v", seen, err)
			}
			g.assertCarries(t, s, w, w.client(), w.dest(0))
		}
		if n := g.counters(t).number("conns_accepted"); n < 4 {
			t.Error(fmt.Errorf("%d connections went through sluice, want 4", n))
		}
	})
}
