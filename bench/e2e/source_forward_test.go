//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"testing"
)

// Where forwards of the tests listen: addresses of the gateway, and those that only
// routes lead to it (the documents' 0xDEADBEEF:0xCAFE, and one of IPv6).
const (
	forwardPort   uint16 = 8081
	elsewhere4           = "222.173.190.239"
	elsewhere6           = "2001:db8:cafe::1"
	elsewherePort uint16 = 51966
)

// forward is the flag that relays what comes to one end to another.
func forward(listen, dest netip.AddrPort) string { return fmt.Sprintf("--forward=%v=%v", listen, dest) }

// TestSourceForward relays fixed listeners, at an address of the gateway and at a
// foreign one, to the server, which sees whom each source shows.
func TestSourceForward(t *testing.T) {
	t.Parallel()
	overSources(t, sources(), func(t *testing.T, s source) {
		var flags []string
		listen := func(w way) []netip.AddrPort {
			return []netip.AddrPort{netip.AddrPortFrom(w.gateway(), forwardPort), netip.AddrPortFrom(w.pick(elsewhere4, elsewhere6), elsewherePort)}
		}
		for _, w := range udpWays() {
			for _, at := range listen(w) {
				flags = append(flags, forward(at, w.dest(0)))
			}
		}
		g := startSource(t, s, flags...)
		for _, w := range udpWays() {
			startWitness(t, g.Server, w.dest(0))
			for _, at := range listen(w) {
				g.assertCarries(t, s, w, w.client(), at)
				g.assertCarries(t, s, w, w.normal(), at)
			}
			g.assertCarries(t, s, w, w.client(), w.dest(0))
		}
	})
}

// TestSourceForwardToTheGateway has the servers behind a forward on the gateway
// itself: at one of its addresses and at its loopback.
func TestSourceForwardToTheGateway(t *testing.T) {
	t.Parallel()
	overSources(t, []source{gatewaySource, clientSource, addressSource}, func(t *testing.T, s source) {
		var flags []string
		type relay struct {
			w        way
			at, dest netip.AddrPort
		}
		var relays []relay
		for i, dest := range []string{"10.77.2.1", "127.0.0.1", "fd77:2::1", "::1"} {
			addr := netip.MustParseAddr(dest)
			w := way{tproxy: true, v6: addr.Is6()}
			r := relay{w, netip.AddrPortFrom(w.gateway(), forwardPort+uint16(i)), netip.AddrPortFrom(addr, 9300+uint16(i))}
			relays, flags = append(relays, r), append(flags, forward(r.at, r.dest))
		}
		g := startSource(t, s, flags...)
		for _, r := range relays {
			startWitness(t, g.Gateway, r.dest)
			if s == gatewaySource {
				conn, seen, err := callTCP(g.Client, netip.AddrPort{}, r.at)
				if err != nil || seen.Addr() == r.w.client() {
					t.Fatalf("%v sees %v: %v", r.dest, seen, err)
				}
				if err := echoed(conn); err != nil {
					t.Error(err)
				}
				conn.Close()
				continue
			}
			g.assertCarries(t, s, r.w, r.w.client(), r.at)
		}
	})
}

// TestSourceMap has a diverted port dialled at another one: the reply bears the port
// that was asked.
func TestSourceMap(t *testing.T) {
	t.Parallel()
	overSources(t, []source{gatewaySource, clientSource}, func(t *testing.T, s source) {
		g := startSource(t, s, "--map=80=50080", "--map=tcp:81=50081", "--map=udp:81=50082")
		for _, w := range udpWays() {
			for _, port := range []uint16{50080, 50081, 50082, 82} {
				startWitness(t, g.Server, netip.AddrPortFrom(w.server(), port))
			}
			for _, port := range []uint16{80, 81, 82} {
				g.assertCarries(t, s, w, w.client(), netip.AddrPortFrom(w.server(), port))
			}
		}
	})
}
