//go:build linux

package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sluice/bench/lab"
)

// leftToKernel is a configuration whose list is the kernel's, but for what comes
// before it.
func leftToKernel() object {
	return object{
		"inbounds":      []object{{"type": "tproxy", "tag": "in", "listen_port": tproxyPort}},
		"install_rules": true, "rules": object{"iface": []string{lab.LAN}},
		"outbounds": []object{{"type": "direct", "tag": "direct"}, {"type": "forward", "tag": "kernel"}, through(1, "socks", nil)},
		"route": object{
			"rule_set": []object{{"type": "local", "tag": "many", "format": "list", "path": "many.list"}},
			"rules": []object{
				{"port": 21009, "outbound": "p1"},
				{"ip_cidr": []string{"198.18.50.128/25", "2001:2::50:8000/113"}, "outbound": "direct"},
				{"rule_set": "many", "outbound": "kernel"},
				{"ip_cidr": []string{"198.18.60.0/24", "2001:2::60:0/112"}, "outbound": "p1"},
			},
			"final": "direct",
		},
	}
}

// TestLeftToKernel asserts that the kernel forwards what a rule leaves to it, in the
// order of the rules, and that a reload which reads another list of a hundred
// thousand prefixes changes the way of what begins, and loses nothing of what runs.
func TestLeftToKernel(t *testing.T) {
	t.Parallel()
	g := startRoutes(t, setup{divert: divertNothing}, object{"inbounds": []object{{"type": "tproxy", "tag": "in", "listen_port": tproxyPort}},
		"install_rules": true, "rules": object{"iface": []string{lab.LAN}}})
	g.shared = writeBackFDs
	list := filepath.Join(filepath.Dir(g.path), "many.list")
	const many = 100_000
	writePrefixes(t, list, many, "198.18.50.0/24", "2001:2::50:0/112")
	g.write(t, leftToKernel())
	g.reload(t)
	g.startProxy(t, 1, manner{})
	at := func(w way, low, port int) netip.AddrPort {
		return netip.AddrPortFrom(w.pick(fmt.Sprintf("198.18.%d.%d", low>>16, low&0xff), fmt.Sprintf("2001:2::%d:%x", low>>16, low&0xffff)), w.port(port))
	}
	inList, before, port, other, beside := 50<<16|1, 50<<16|0x80ff, 50<<16|1, 60<<16|1, 70<<16|1
	rows := func(list50, list70 string) {
		t.Helper()
		for _, w := range udpWays() {
			for to, want := range map[netip.AddrPort]string{at(w, inList, 0): list50, at(w, before, 0): wentDirect, at(w, port, 9): "p1",
				at(w, other, 0): "p1", at(w, beside, 0): list70} {
				for _, network := range []string{"tcp", "udp"} {
					g.wantWay(t, network, w.client(), to, want)
				}
			}
		}
	}
	for _, w := range udpWays() {
		for _, low := range []int{inList, before, other, beside} {
			tellPeers(t, g.Server, at(w, low, 0))
		}
		tellPeers(t, g.Server, at(w, port, 9))
	}
	rows(wentForwarded, wentDirect)
	over := make(chan struct{})
	var running sync.WaitGroup
	for _, w := range udpWays() {
		for _, low := range []int{inList, beside} {
			to := at(w, low, 1)
			echoTCP(t, g.Server, to)
			c := dialTCP(t, g.Client, to)
			_ = c.SetDeadline(time.Time{})
			running.Go(func() {
				keep(t, over, fmt.Sprintf("TCP to %v", to), func() error { return exchange(c, "still there?") })
			})
		}
	}
	writePrefixes(t, list, many, "198.18.70.0/24", "2001:2::70:0/112")
	begin := time.Now()
	g.reload(t)
	t.Logf("%d prefixes reloaded in %v", many, time.Since(begin))
	rows(wentDirect, wentForwarded)
	close(over)
	running.Wait()
}

// writePrefixes writes a list of so many prefixes that do not touch, and some more.
func writePrefixes(t *testing.T, path string, n int, more ...string) {
	t.Helper()
	lines := make([]string, 0, n+len(more))
	for i := range n {
		low := i * 2
		lines = append(lines, fmt.Sprintf("%d.%d.%d.%d/28", 20+low>>20, low>>12&0xff, low>>4&0xff, low&0xf<<4))
	}
	writeList(t, path, 0, append(lines, more...)...)
}
