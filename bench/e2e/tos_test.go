//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// colouredTCP connects a client whose packets have a type of service.
func (g *gateway) colouredTCP(t *testing.T, w way, tos int, to netip.AddrPort) *net.TCPConn {
	t.Helper()
	conn := inside(t, g.Client, func() (*net.TCPConn, error) {
		d := net.Dialer{Timeout: patience, Control: func(_, _ string, c syscall.RawConn) (err error) {
			level, option := unix.SOL_IP, unix.IP_TOS
			if w.v6 {
				level, option = unix.SOL_IPV6, unix.IPV6_TCLASS
			}
			_ = c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, tos) })
			return err
		}}
		conn, err := d.Dial("tcp", to.String())
		if err != nil {
			return nil, err
		}
		return conn.(*net.TCPConn), conn.SetDeadline(time.Now().Add(patience))
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// wantColour has a namespace lose what comes by an interface and is of another
// code point, from the handshake on or after it.
func wantColour(t *testing.T, ns *lab.Namespace, iface, class string, handshake bool) {
	t.Helper()
	match := "iifname " + iface
	if !handshake {
		match += " tcp flags & syn == 0"
	}
	filter(t, ns, match+" meta l4proto tcp ip dscp != "+class+" drop", match+" meta l4proto tcp ip6 dscp != "+class+" drop")
}

// TestTOS asserts what colour the packets of both legs have, of SYN and all, for a
// client of some colour or of none.
func TestTOS(t *testing.T) {
	t.Parallel()
	const ef = 0xb8
	for _, c := range []struct {
		tos            string
		client         int
		toServer, back string
	}{
		{"copy", ef, "ef", "ef"},
		{"copy", 0, "cs0", "cs0"},
		{"copy", 0x20, "cs1", "cs1"},
		{"af41", ef, "af41", "cs0"},
		{"0x10", 0, "0x04", "cs0"},
		{"off", ef, "cs0", "cs0"},
	} {
		t.Run(fmt.Sprintf("%s,%#x", c.tos, c.client), func(t *testing.T) {
			g := startGateway(t, setup{flags: []string{"--tos=" + c.tos}})
			wantColour(t, g.Server, lab.WAN, c.toServer, true)
			wantColour(t, g.Client, lab.LAN, c.back, false)
			overWays(t, ways(), func(t *testing.T, w way) {
				echoTCP(t, g.Server, w.dest(0))
				if err := exchange(g.colouredTCP(t, w, c.client, w.dest(0)), "what colour"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestTOSAfterReload asserts that a reload has colours copied, and no longer.
func TestTOSAfterReload(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.json")
	configure := func(tos string) {
		writeFile(t, path, fmt.Sprintf(`{"inbounds": [{"type": "redirect", "listen_port": %d}, {"type": "tproxy", "listen_port": %d}], "tos": %q}`, redirectPort, tproxyPort, tos))
	}
	configure("off")
	g := startGateway(t, setup{listen: []string{"--config=" + path}})
	for _, c := range [][2]string{{"copy", "ef"}, {"off", "cs0"}} {
		configure(c[0])
		before := g.log.Len()
		g.signal(t, syscall.SIGHUP)
		until(t, "sluice has reloaded", func() bool { return len(g.log.since(before, message("reloaded"))) > 0 })
		run(t, g.Server, "nft", "flush ruleset")
		wantColour(t, g.Server, lab.WAN, c[1], true)
		overWays(t, ways(), func(t *testing.T, w way) {
			echoTCP(t, g.Server, w.dest(0))
			if err := exchange(g.colouredTCP(t, w, 0xb8, w.dest(0)), "what colour"); err != nil {
				t.Error(err)
			}
		})
	}
}
