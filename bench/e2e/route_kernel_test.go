//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeNetworks writes a list of many networks, and some lines.
func writeNetworks(t *testing.T, path string, many int, lines ...string) {
	t.Helper()
	var b strings.Builder
	for i := range many / 2 {
		fmt.Fprintf(&b, "%d.%d.%d.0/25\n2a00:%x:%x::/48\n", 20+i>>16, i>>8&0xff, i&0xff, i>>8, i&0xff)
	}
	if err := os.WriteFile(path, []byte(b.String()+strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestLeftToKernel asserts that flows of a list with twenty thousand networks never
// come to sluice, that another list decides of what begins after a reload, and that
// flows which run, forwarded or not, go on as they began, without a loss.
func TestLeftToKernel(t *testing.T) {
	t.Parallel()
	const many = 20_000
	rules := object{"iface": []string{"lan"}}
	g := startRoutes(t, setup{divert: divertNothing, plain: true}, object{"install_rules": true, "rules": rules})
	list := filepath.Join(filepath.Dir(g.path), "far.list")
	writeNetworks(t, list, many, "198.18.40.0/24", "2001:2::40:0/112")
	g.write(t, object{
		"install_rules": true, "rules": rules,
		"outbounds": []object{{"type": "direct", "tag": "direct"}, {"type": "forward", "tag": "kernel"}},
		"route": object{"rule_set": []object{{"type": "local", "tag": "far", "format": "list", "path": "far.list"}},
			"rules": []object{{"rule_set": "far", "outbound": "kernel"}}},
	})
	g.reload(t)
	on := func(w way, n int) netip.AddrPort {
		return netip.AddrPortFrom(w.pick(fmt.Sprintf("198.18.%d.1", n), fmt.Sprintf("2001:2::%d:1", n)), w.port(0))
	}
	wantWays := func(want40, want41 string) {
		t.Helper()
		for _, w := range udpWays() {
			for _, network := range []string{"tcp", "udp"} {
				g.wantWay(t, network, w.client(), on(w, 40), want40)
				g.wantWay(t, network, w.client(), on(w, 41), want41)
			}
		}
	}
	for _, w := range udpWays() {
		for _, n := range []int{40, 41} {
			tellPeers(t, g.Server, on(w, n))
		}
	}
	wantWays(wentForwarded, wentDirect)
	stop := g.keepRunning(t)
	writeNetworks(t, list, many+2, "198.18.41.0/24", "2001:2::41:0/112")
	g.reload(t)
	wantWays(wentDirect, wentForwarded)
	writeNetworks(t, list, many, "198.18.40.0/24", "2001:2::40:0/112")
	g.reload(t)
	wantWays(wentForwarded, wentDirect)
	stop()
}
