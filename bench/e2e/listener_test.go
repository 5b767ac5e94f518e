//go:build linux

package e2e

import (
	"net/netip"
	"testing"
)

// TestInstalledListeners asserts that --install-rules lets in what is routed to an
// inbound's foreign address and port, TCP and UDP, with no inbound that anything is
// diverted to; that sluice carries it on to whoever has the address; and that what
// goes to another port there is forwarded.
func TestInstalledListeners(t *testing.T) {
	t.Parallel()
	foreign := []netip.AddrPort{netip.MustParseAddrPort("222.173.190.239:51966"), netip.MustParseAddrPort("[2001:db8:dead::beef]:51966")}
	s := setup{divert: divertNothing, flags: []string{"--install-rules", forwardTimeout}}
	for _, at := range foreign {
		s.listen = append(s.listen, "--tproxy="+at.String())
	}
	g := startGateway(t, s)
	g.shared = writeBackFDs
	sh(t, g.Server, "ip addr add 222.173.190.239/32 dev lo; ip addr add 2001:db8:dead::beef/128 dev lo nodad")
	for _, at := range foreign {
		tellPeers(t, g.Server, at)
		tellPeers(t, g.Server, netip.AddrPortFrom(at.Addr(), 8000))
	}
	for i, at := range foreign {
		w := way{tproxy: true, v6: i == 1}
		for _, network := range []string{"tcp", "udp"} {
			if _, seen := seenAt(t, g.Client, network, w.client().String(), at); seen.Addr() != w.seen() {
				t.Errorf("%s to %v: seen at %v", network, at, seen)
			}
			if _, seen := seenAt(t, g.Client, network, w.client().String(), netip.AddrPortFrom(at.Addr(), 8000)); seen.Addr() != w.client() {
				t.Errorf("%s to port 8000 of %v: seen at %v", network, at, seen)
			}
		}
	}
	if c := g.counters(t); c.number("conns_accepted") != 2 || c.number("udp_sessions_opened") != 2 || c.blemishes() > 0 {
		t.Errorf("counters: %v", c)
	}
}
