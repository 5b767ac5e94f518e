//go:build linux

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// names is a DNS server in the gateway, at 127.0.0.1:53.
type names struct {
	hosts string // its file
	cmd   *exec.Cmd
}

// startNames runs the server until the test ends. Lines are those of hosts(5).
func startNames(t *testing.T, l *lab.Lab, lines string) *names {
	t.Helper()
	dnsmasq := needProgram(t, "dnsmasq", "dnsmasq-base")
	n := &names{hosts: filepath.Join(t.TempDir(), "hosts")}
	writeFile(t, n.hosts, lines)
	var out bytes.Buffer
	n.cmd = l.Gateway.Command(context.Background(), dnsmasq, "--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
		"--user=root", "--pid-file=", "--log-facility=-", "--listen-address=127.0.0.1", "--bind-interfaces", "--addn-hosts="+n.hosts)
	n.cmd.Stdout, n.cmd.Stderr = &out, &out
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(t, n.cmd, &out) })
	until(t, "dnsmasq listens", func() bool { return listening(t, l.Gateway, 53) })
	return n
}

// set replaces the names.
func (n *names) set(t *testing.T, lines string) {
	t.Helper()
	writeFile(t, n.hosts, lines)
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// underNames has sluice ask 127.0.0.1 alone, in a mount namespace of its own.
func underNames(t *testing.T) []string {
	t.Helper()
	needProgram(t, "unshare", "util-linux")
	conf := filepath.Join(t.TempDir(), "resolv.conf")
	writeFile(t, conf, "nameserver 127.0.0.1\noptions timeout:1\n")
	return []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/resolv.conf && exec "$@"`, conf}
}

// silence has a namespace answer nothing at an IPv4 address of its own.
func silence(t *testing.T, ns *lab.Namespace, addr string) {
	t.Helper()
	needProgram(t, "nft", "nftables")
	cmd := ns.Command(t.Context(), "nft", "-f", "-")
	cmd.Stdin = bytes.NewBufferString("table ip dead {\n chain c {\n type filter hook input priority 0;\n ip daddr " + addr + " drop\n }\n}\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v: %s", err, out)
	}
}

// TestForwardSeveralAddresses asserts that where a name has several addresses, the
// next is tried when one refuses, or does not answer, while the client waits, and
// that later ones do not wait again.
func TestForwardSeveralAddresses(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		t.Run(fmt.Sprintf("silent=%v", silent), func(t *testing.T) {
			t.Parallel()
			dead := "10.77.2.2" // tried first, RFC 6724: a private IPv6 address ranks below IPv4
			g := startForwards(t, setup{under: underNames(t), flags: []string{"--connect-timeout=6s"}, divert: func(made *lab.Lab) error {
				startNames(t, made, dead+" web.test\nfd77:2::2 web.test\n")
				return nil
			}}, ":30000=web.test:8000")
			if silent {
				silence(t, g.Server, dead)
			}
			answer(t, g.Server, netip.MustParseAddrPort("[fd77:2::2]:8000"))
			at := netip.MustParseAddrPort(lab.GatewayLAN4 + ":30000")
			visit := func() (others int) {
				before, began := g.counters(t).number("dials_next_address"), time.Now()
				c := dialTCP(t, g.Client, at)
				if err := exchange(c, "whoever lives"); err != nil {
					t.Fatal(err)
				}
				c.Close()
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("a connection took %v", took)
				}
				return g.counters(t).number("dials_next_address") - before
			}
			if n := visit(); n != 1 {
				t.Errorf("%d dials went on with the next address, want 1", n)
			}
			until(t, "the address that failed is not the first any more", func() bool { return visit() == 0 })
			g.reachUDP(t, g.Client, at)
		})
	}
}

// TestForwardDatagramsTurn asserts that the datagrams of a client whose forward
// leads to a port that nobody has go to the name's next address.
func TestForwardDatagramsTurn(t *testing.T) {
	t.Parallel()
	g := startForwards(t, setup{under: underNames(t), divert: func(made *lab.Lab) error {
		startNames(t, made, "10.77.2.2 web.test\nfd77:2::2 web.test\n")
		return nil
	}}, ":30000=web.test:8000,udp")
	startEcho(t, g.Server, netip.MustParseAddrPort("[fd77:2::2]:8000"))
	for _, v6 := range []bool{false, true} {
		w := way{tproxy: true, v6: v6}
		c := g.udpClient(t, w)
		at := netip.AddrPortFrom(w.gateway(), 30000)
		until(t, "the other address answers", func() bool {
			_, _ = c.WriteToUDPAddrPort([]byte("again"), at)
			got, err := next(c, 100*time.Millisecond)
			return err == nil && got.from == at
		})
	}
}

// TestForwardUnresolved asserts that a sluice whose name cannot be resolved yet
// starts, refuses its clients by name, and serves them once it can; and that a
// reload looks the name up again.
func TestForwardUnresolved(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sluice.json")
	writeFile(t, path, `{"inbounds": [{"type": "direct", "listen_port": 30000, "override_address": "web.test", "override_port": 8000}]}`)
	var dns *names
	g := startForwards(t, setup{under: underNames(t), listen: []string{"--config=" + path}, divert: func(made *lab.Lab) error {
		dns = startNames(t, made, "10.77.2.9 other.test\n")
		return nil
	}})
	if n := len(g.log.since(0, message("what a forward or an outbound leads to cannot be resolved: its clients are refused until it can, which is tried again"))); n != 1 {
		t.Errorf("told %d times that the name cannot be resolved", n)
	}
	answer(t, g.Server, netip.MustParseAddrPort("10.77.2.2:8000"))
	answer(t, g.Server, netip.MustParseAddrPort("198.18.0.7:8000"))
	at := netip.MustParseAddrPort(lab.GatewayLAN4 + ":30000")
	if c, err := inClient(g, at); err == nil {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("an unresolved forward: %v, want a reset", err)
		}
		c.Close()
	}
	if n := g.counters(t).number("refused_unresolved"); n != 1 {
		t.Errorf("%d were refused, want 1", n)
	}
	dns.set(t, "10.77.2.2 web.test\n")
	until(t, "the name is resolved", func() bool {
		return len(g.log.since(0, message("what a forward or an outbound leads to is resolved"))) == 1
	})
	g.reach(t, g.Client, at)

	dns.set(t, "198.18.0.7 web.test\n")
	before := g.log.Len()
	until(t, "a reload looks it up again", func() bool {
		g.signal(t, syscall.SIGHUP)
		return eventually(time.Second, func() bool {
			return len(g.log.since(before, message("what a forward or an outbound leads to is resolved"))) > 0
		})
	})
	g.reach(t, g.Client, at)
}

// TestForwardNameMoves asserts that a name whose address is gone is looked up again
// without being told to, by sockets that bear the mark, and by an ordinary user.
func TestForwardNameMoves(t *testing.T) {
	t.Parallel()
	var dns *names
	var user []string
	if !lab.Entered() { // the machine has more users than one
		user = []string{"--user=nobody"}
	}
	g := startForwards(t, setup{under: underNames(t), flags: user, divert: func(made *lab.Lab) error {
		dns = startNames(t, made, "10.77.2.2 web.test\n")
		unmarked := "udp dport 53 meta mark != " + strconv.Itoa(lab.ProxyMark) + " drop" // as rules for the gateway's own traffic divert
		return made.Gateway.Run(t.Context(), "nft", "table inet unmarked { chain output { type filter hook output priority 0; "+unmarked+"; }; }")
	}}, ":30000=web.test:8000,tcp")
	dns.set(t, "198.18.0.7 web.test\n")
	echoTCP(t, g.Server, netip.MustParseAddrPort("198.18.0.7:8000"))
	at := netip.MustParseAddrPort(lab.GatewayLAN4 + ":30000")
	until(t, "clients find the new address", func() bool {
		c, err := inClient(g, at)
		if err != nil {
			return false
		}
		defer c.Close()
		return exchange(c, "moved") == nil
	})
}
