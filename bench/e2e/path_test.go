//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sluice/bench/lab"
)

// congestionOf asks the gateway's kernel which congestion control its socket
// with this peer has.
func (g *gateway) congestionOf(t *testing.T, peer netip.AddrPort) string {
	t.Helper()
	needProgram(t, "ss", "iproute2")
	out, err := g.Gateway.Command(context.Background(), "ss", "-tniH", "dst", peer.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(out)) {
		switch name {
		case "reno", "cubic", "bbr":
			return name
		}
	}
	return fmt.Sprintf("none in %q", out)
}

// TestCongestionOfEachLeg asserts that either leg has the congestion control
// that it was given, and after a reload the one that it is given then.
func TestCongestionOfEachLeg(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.json")
	configure := func(client, upstream string) {
		writeFile(t, path, fmt.Sprintf(`{"inbounds": [{"type": "redirect", "listen_port": %d}, {"type": "tproxy", "listen_port": %d}]%s%s}`,
			redirectPort, tproxyPort, client, upstream))
	}
	configure(`, "congestion_client": "reno"`, `, "congestion_upstream": "cubic"`)
	g := startGateway(t, setup{listen: []string{"--config=" + path}})
	fallback, err := g.Gateway.ReadSysctl("net/ipv4/tcp_congestion_control")
	if err != nil {
		t.Fatal(err)
	}
	want := func(client, upstream string) {
		t.Helper()
		for _, w := range ways() {
			near, far := g.pair(t, w)
			if got := g.congestionOf(t, near.LocalAddr().(*net.TCPAddr).AddrPort()); got != client {
				t.Errorf("%v: %s towards the client, want %s", w, got, client)
			}
			if got := g.congestionOf(t, far.LocalAddr().(*net.TCPAddr).AddrPort()); got != upstream {
				t.Errorf("%v: %s towards the server, want %s", w, got, upstream)
			}
			near.Close()
			far.Close()
		}
	}
	want("reno", "cubic")
	for _, c := range [][2]string{{`, "congestion_client": "cubic"`, `, "congestion_upstream": "reno"`}, {"", ""}} {
		configure(c[0], c[1])
		before := g.log.Len()
		g.signal(t, syscall.SIGHUP)
		until(t, "sluice has reloaded", func() bool { return len(g.log.since(before, message("reloaded"))) > 0 })
		if c[0] == "" {
			want(fallback, fallback)
		} else {
			want("cubic", "reno")
		}
	}
}

// TestBindIface asserts that destinations are reached by the interface that was
// named, also where a better route leads elsewhere.
func TestBindIface(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{flags: []string{"--bind-iface=" + lab.WAN, "--udp-timeout=2s"}})
	g.shared = writeBackFDs
	for _, w := range ways() {
		family, bits := "-4", 32
		if w.v6 {
			family, bits = "-6", 128
		}
		astray := fmt.Sprintf("%v/%d", w.server(), bits)
		if err := g.Gateway.Run(context.Background(), "ip", family, "route", "replace", astray, "dev", lab.LAN); err != nil {
			t.Fatal(err)
		}
		echoTCP(t, g.Server, w.dest(0))
		c := dialTCP(t, g.Client, w.dest(0))
		if err := exchange(c, "by the interface"); err != nil {
			t.Errorf("%v: %v", w, err)
		}
		c.Close()
	}
	for _, w := range udpWays() {
		startEcho(t, g.Server, w.dest(0))
		ask(t, g.udpClient(t, w), w.dest(0), []byte("by the interface"))
	}
}
