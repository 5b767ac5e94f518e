//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"testing"

	"sluice/bench/lab"
)

// TestLevels asserts that at the default level a destination that refuses its clients
// is counted and says nothing, and that a forward's, which the operator has chosen, is
// a warning.
func TestLevels(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddrPort(lab.GatewayLAN4 + ":8080")
	g := startGateway(t, setup{flags: []string{"--log-level=info"}, listen: []string{
		fmt.Sprintf("--redirect=:%d", redirectPort), fmt.Sprintf("--tproxy=:%d", tproxyPort),
		fmt.Sprintf("--forward=%v=%s:9,tcp", at, lab.Server4),
	}})
	const attempts, forwarded = 20, 3
	for range attempts {
		wantRefused(t, g, netip.AddrPortFrom(way{}.client(), 0), way{}.dest(0))
	}
	for range forwarded {
		wantRefused(t, g, netip.AddrPortFrom(way{}.client(), 0), at)
	}
	if n := g.counters(t).number("upstream_refused"); n != attempts+forwarded {
		t.Errorf("counted %d, want %d", n, attempts+forwarded)
	}
	lines := g.log.since(0, func(e entry) bool { return e.text("cause") == "upstream_refused" })
	if len(lines) != forwarded {
		t.Errorf("%d lines, want those of the forward's %d", len(lines), forwarded)
	}
	for _, e := range lines {
		if e.text("level") != "warn" || e.text("dest") != lab.Server4+":9" {
			t.Errorf("logged %v", e)
		}
	}
}
