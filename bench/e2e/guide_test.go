//go:build linux

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/bench/lab"
)

// guide is a section of README.md, as its blocks of code.
func guide(t *testing.T, title string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## "+title+"\n")
	if !ok {
		t.Fatalf("README.md has no section %q", title)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	block := ""
	for line := range strings.Lines(section) {
		code, isCode := strings.CutPrefix(line, "    ")
		if isCode {
			block += code
		} else if block != "" {
			blocks, block = append(blocks, block), ""
		}
	}
	return blocks
}

// sh runs a script in a namespace.
func sh(t *testing.T, ns *lab.Namespace, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := ns.Command(ctx, "sh", "-ec", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
}

// tellPeers answers with the address that the asker is seen at, TCP and UDP.
func tellPeers(t *testing.T, ns *lab.Namespace, at netip.AddrPort) {
	t.Helper()
	serveTCP(t, ns, at, func(conn *net.TCPConn) {
		_, _ = io.ReadFull(conn, make([]byte, 1))
		_, _ = io.WriteString(conn, conn.RemoteAddr().String())
	})
	u := listenUDP(t, ns, at)
	t.Cleanup(func() { u.Close() })
	go func() {
		buf := make([]byte, 64)
		for {
			_, from, err := u.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = u.WriteToUDPAddrPort([]byte(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()).String()), from)
		}
	}()
}

// seenAt is where a server sees who asks from an address: host and port.
func seenAt(t *testing.T, ns *lab.Namespace, network, from string, to netip.AddrPort) (own, seen netip.AddrPort) {
	t.Helper()
	err := ns.Do(func() error {
		dialer := net.Dialer{Timeout: 3 * time.Second}
		if network == "tcp" {
			dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
		} else {
			dialer.LocalAddr = &net.UDPAddr{IP: net.ParseIP(from)}
		}
		conn, err := dialer.Dial(network, to.String())
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		if _, err := conn.Write([]byte("?")); err != nil {
			return err
		}
		buf := make([]byte, 64)
		n, err := conn.Read(buf)
		if err != nil {
			return err
		}
		own = netip.MustParseAddrPort(conn.LocalAddr().String())
		seen, err = netip.ParseAddrPort(string(buf[:n]))
		return err
	})
	if err != nil {
		t.Errorf("%s from %s to %v: %v", network, from, to, err)
	}
	return own, seen
}

// pingFrom wants an answer to an ICMP echo request.
func pingFrom(t *testing.T, ns *lab.Namespace, from string, to netip.Addr) {
	t.Helper()
	err := ns.Do(func() error {
		conn, err := net.DialIP("ip4:icmp", &net.IPAddr{IP: net.ParseIP(from)}, &net.IPAddr{IP: to.AsSlice()})
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		if _, err := conn.Write([]byte{8, 0, 0xf7, 0xfe, 0, 1, 0, 0}); err != nil { // type, code, checksum, id, sequence (RFC 792)
			return err
		}
		_, err = conn.Read(make([]byte, 64))
		return err
	})
	if err != nil {
		t.Errorf("ping from %s to %s: %v", from, to, err)
	}
}

// TestGuideTwoWANs does what README says, between the lab's client, which is in
// both LANs, and its server, which is at the end of both WANs:
//
//	client 10.91.1.2 ── lan1 ┐           ┌ wan1 192.0.2.2 ── 192.0.2.1 server
//	       10.91.2.2 ── lan2 ┴ gateway ──┴ wan2 203.0.113.2 ── 203.0.113.1
func TestGuideTwoWANs(t *testing.T) {
	t.Parallel()
	blocks := guide(t, "Two LANs with a WAN each")
	if len(blocks) != 2 {
		t.Fatalf("%d blocks", len(blocks))
	}
	l := lab.For(t, lab.Options{})
	for n, wan := range map[int]string{1: "192.0.2", 2: "203.0.113"} {
		sh(t, l.Gateway, fmt.Sprintf(`ip link add lan%[1]d type veth peer name lan%[1]d netns %[3]s-client
			ip link add wan%[1]d type veth peer name wan%[1]d netns %[3]s-server
			ip addr add 10.91.%[1]d.1/24 dev lan%[1]d; ip addr add fd91:%[1]d::1/64 dev lan%[1]d nodad
			ip addr add %[2]s.2/24 dev wan%[1]d; ip addr add 2001:db8:%[1]d::2/64 dev wan%[1]d nodad
			ip link set lan%[1]d up; ip link set wan%[1]d up
			sysctl -qw net.ipv4.conf.wan%[1]d.rp_filter=1`, n, wan, l.Name))
		sh(t, l.Client, fmt.Sprintf(`ip addr add 10.91.%[1]d.2/24 dev lan%[1]d; ip addr add fd91:%[1]d::2/64 dev lan%[1]d nodad; ip link set lan%[1]d up
			ip route add default via 10.91.%[1]d.1 table %[1]d; ip rule add from 10.91.%[1]d.2 lookup %[1]d
			ip -6 route add default via fd91:%[1]d::1 table %[1]d; ip -6 rule add from fd91:%[1]d::2 lookup %[1]d`, n))
		sh(t, l.Server, fmt.Sprintf("ip addr add %[2]s.1/24 dev wan%[1]d; ip addr add 2001:db8:%[1]d::1/64 dev wan%[1]d nodad; ip link set wan%[1]d up", n, wan))
	}
	sh(t, l.Gateway, blocks[1])
	path := filepath.Join(t.TempDir(), "sluice.json")
	if err := os.WriteFile(path, []byte(blocks[0]), 0o644); err != nil {
		t.Fatal(err)
	}
	g := launch(t, l, setup{listen: []string{"--config=" + path}, flags: []string{forwardTimeout}})
	until(t, "sluice is ready", func() bool { return g.ended() || len(g.log.since(0, message("ready"))) > 0 })
	g.base, g.shared = g.FDs(), writeBackFDs
	t.Cleanup(func() { g.finish(t) })
	servers := []netip.AddrPort{netip.MustParseAddrPort("198.18.0.9:8000"), netip.MustParseAddrPort("[2001:2::9]:8000")}
	for _, at := range servers {
		tellPeers(t, g.Server, at)
	}
	for _, c := range []struct {
		from string
		to   netip.AddrPort
		want string
	}{
		{"10.91.1.2", servers[0], "192.0.2.2"}, {"10.91.2.2", servers[0], "203.0.113.2"},
		{"fd91:1::2", servers[1], "2001:db8:1::2"}, {"fd91:2::2", servers[1], "2001:db8:2::2"},
	} {
		for _, network := range []string{"tcp", "udp"} {
			if _, seen := seenAt(t, g.Client, network, c.from, c.to); seen.Addr().String() != c.want {
				t.Errorf("%s from %s is seen at %v, want %s", network, c.from, seen, c.want)
			}
		}
		if c.to.Addr().Is4() {
			pingFrom(t, g.Client, c.from, c.to.Addr()) // forwarded
		}
	}
	if c := g.counters(t); c.number("conns_accepted") != 4 || c.number("udp_sessions_opened") != 4 || c.blemishes() > 0 {
		t.Errorf("counters: %v", c)
	}
}

// TestGuideReverseProxy does what README says, with the lab's addresses: servers
// elsewhere and on the gateway see the client's address and port, also behind an
// address that the gateway does not have.
func TestGuideReverseProxy(t *testing.T) {
	t.Parallel()
	command := strings.Fields(guide(t, "A reverse proxy that shows the client")[0])
	if command[0] != "sluice" || command[1] != "run" {
		t.Fatalf("%q", command)
	}
	var flags []string // beside --forward
	for i, word := range command[2:] {
		if word != "--forward" && command[i+1] != "--forward" {
			flags = append(flags, word)
		}
	}
	at := [][2]string{ // a client's destination, and a server; the first has a port of one family alone
		{"198.51.100.7:54", "127.0.0.1:8001"},
		{"10.77.1.1:443", "10.77.2.2:8000"}, {"[fd77:1::1]:443", "[fd77:2::2]:8000"},
		{"198.51.100.7:53", "10.77.2.2:8000"}, {"[2001:db8:7::7]:53", "[fd77:2::2]:8000"},
		{"10.77.1.1:8443", "127.0.0.1:8001"}, {"[fd77:1::1]:8443", "[::1]:8001"},
		{"10.77.1.1:9443", "10.77.2.1:8002"}, {"[fd77:1::1]:9443", "[fd77:2::1]:8002"},
	}
	var forwards []string
	for _, f := range at {
		forwards = append(forwards, f[0]+"="+f[1])
	}
	g := startForwards(t, setup{flags: flags}, forwards...)
	for _, server := range []string{"10.77.2.2:8000", "[fd77:2::2]:8000"} {
		tellPeers(t, g.Server, netip.MustParseAddrPort(server))
	}
	for _, server := range []string{"127.0.0.1:8001", "[::1]:8001", "10.77.2.1:8002", "[fd77:2::1]:8002"} {
		tellPeers(t, g.Gateway, netip.MustParseAddrPort(server))
	}
	for _, f := range at {
		listen, server := f[0], f[1]
		to, from := netip.MustParseAddrPort(listen), lab.Client4
		if to.Addr().Is6() {
			from = lab.Client6
		}
		for _, network := range []string{"tcp", "udp"} {
			for range 3 {
				if own, seen := seenAt(t, g.Client, network, from, to); own != seen {
					t.Errorf("%s to %s, which leads to %s: seen at %v, the client is %v", network, listen, server, seen, own)
				}
			}
		}
	}
	if c := g.counters(t); c.blemishes() > 0 {
		t.Errorf("not all went well: %v", c)
	}
}
