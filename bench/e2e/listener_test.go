//go:build linux

package e2e

import (
	"net/netip"
	"testing"
)

// TestInstalledListeners asserts that --install-rules lets in what is routed to an
// inbound's foreign address and port, TCP and UDP, fragments too, with no inbound
// that anything is diverted to; that sluice carries it on to whoever has the
// address; and that what goes to another port there is forwarded.
func TestInstalledListeners(t *testing.T) {
	t.Parallel()
	s := setup{divert: divertNothing, flags: []string{"--install-rules", "--map=51966=50080", forwardTimeout}}
	hosts := []netip.Addr{netip.MustParseAddr("222.173.190.239"), netip.MustParseAddr("2001:db8:dead:beef::cafe")}
	for _, host := range hosts {
		s.listen = append(s.listen, "--tproxy="+netip.AddrPortFrom(host, 51966).String())
	}
	g := startGateway(t, s)
	g.shared = writeBackFDs
	for i, host := range hosts {
		w := way{tproxy: true, v6: i == 1}
		sh(t, g.Server, "ip route add local "+host.String()+" dev lo")
		answer(t, g.Server, netip.AddrPortFrom(host, mappedPort))
		other := netip.AddrPortFrom(host, 8000)
		tellPeers(t, g.Server, other)
		g.reach(t, g.Client, netip.AddrPortFrom(host, 51966))
		for _, network := range []string{"tcp", "udp"} {
			if _, seen := seenAt(t, g.Client, network, w.client().String(), other); seen.Addr() != w.client() {
				t.Errorf("%s to %v: seen at %v", network, other, seen)
			}
		}
	}
	if c := g.counters(t); c.number("conns_accepted") != 2 || c.blemishes() > 0 {
		t.Errorf("counters: %v", c)
	}
}
