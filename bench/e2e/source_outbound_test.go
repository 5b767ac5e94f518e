//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"testing"

	"sluice/bench/lab"
)

// TestSourceOfAnOutbound asserts that servers see clients whose outbound says so,
// where nothing else does, by the rules that sluice makes for it; and the gateway
// after a reload that leads elsewhere, which what runs does not notice.
func TestSourceOfAnOutbound(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.json")
	configure := func(final string) {
		writeFile(t, path, fmt.Sprintf(`{"inbounds": [{"type": "tproxy", "listen_port": %d}], "outbounds": [
			{"type": "direct", "tag": "client", "source": "client"}, {"type": "direct", "tag": "gateway"}],
			"route": {"final": %q}, "install_rules": true, "rules": {"iface": %q}}`, tproxyPort, final, lab.LAN))
	}
	configure("gateway")
	g := startGateway(t, setup{listen: []string{"--config=" + path}, divert: divertNothing, flags: []string{"--udp-timeout=" + udpTimeout.String()}})
	g.shared = writeBackFDs
	turnTo := func(t *testing.T, final string) {
		t.Helper()
		configure(final)
		before := g.log.Len()
		g.signal(t, syscall.SIGHUP)
		until(t, "sluice has reloaded", func() bool { return len(g.log.since(before, message("reloaded"))) > 0 })
	}
	overWays(t, udpWays(), func(t *testing.T, w way) {
		turnTo(t, "client")
		ln, e := listenTCP(t, g.Server, w.dest(0)), startEcho(t, g.Server, w.dest(0))
		from := netip.AddrPortFrom(w.anyClient(1), 4000)
		running, server, seen := g.peerOf(t, ln, from)
		client := g.udpClientAt(t, from)
		ask(t, client, e.at, payload(1200))
		if plain(seen) != from || e.last() != from {
			t.Errorf("the server sees %v and %v, want %v", seen, e.last(), from)
		}
		turnTo(t, "gateway")
		mustWrite(t, running, payload(300))
		wantBytes(t, server, payload(300))
		mustWrite(t, server, payload(400))
		wantBytes(t, running, payload(400))
		from = netip.AddrPortFrom(w.anyClient(2), 4001)
		another, end, seen := g.peerOf(t, ln, from)
		client = g.udpClientAt(t, from)
		ask(t, client, e.at, payload(1200))
		for _, c := range []*net.TCPConn{running, server, another, end} {
			c.Close()
		}
		if seen.Addr().Unmap() != w.seen() || e.last().Addr() != w.seen() {
			t.Errorf("the server sees %v and %v, want %v", seen, e.last(), w.seen())
		}
	})
}
