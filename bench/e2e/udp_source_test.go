//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// divertSourced hands every port to TPROXY, puts the client's leg into a conntrack
// zone of its own, and hands replies to what sluice sent as its clients to its
// sockets for replies.
func divertSourced(l *lab.Lab) error {
	return divertSourcedWith(l, fmt.Sprintf(`
	chain replies { type filter hook prerouting priority mangle;
		iifname != %[1]q meta nfproto ipv4 meta l4proto udp ct direction reply ct mark %[2]d meta mark set 1 tproxy ip to 198.51.100.1:%[3]d accept
		iifname != %[1]q meta nfproto ipv6 meta l4proto udp ct direction reply ct mark %[2]d meta mark set 1 tproxy ip6 to [2001:db8::2]:%[3]d accept
	}`, lab.LAN, lab.ProxyMark, tproxyPort))
}

// divertForwarded is the same, but that the kernel forwards replies by itself.
func divertForwarded(l *lab.Lab) error { return divertSourcedWith(l, "") }

// divertMasqueraded is divertSourced on a gateway that hides its clients.
func divertMasqueraded(l *lab.Lab) error {
	if err := divertSourced(l); err != nil {
		return err
	}
	return nft(l.Gateway, fmt.Sprintf(`table inet hide { chain out { type nat hook postrouting priority srcnat; oifname %q masquerade; }; }`, lab.WAN))
}

func divertSourcedWith(l *lab.Lab, replies string) error {
	if err := divertAll(l); err != nil {
		return err
	}
	return nft(l.Gateway, fmt.Sprintf(`table inet sourced {
	chain client_leg { type filter hook prerouting priority raw; iifname %[1]q meta l4proto { tcp, udp } ct zone set 1; }
	chain client_leg_out { type filter hook output priority raw; meta mark != %[2]d oifname %[1]q meta l4proto { tcp, udp } ct zone set 1; }
	chain own_leg { type filter hook output priority mangle; meta mark %[2]d fib saddr type != local ct mark set %[2]d; }
	%[3]s
}`, lab.LAN, lab.ProxyMark, replies))
}

func nft(ns *lab.Namespace, rules string) error {
	cmd := ns.Command(context.Background(), "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	if out, err := cmd.CombinedOutput(); err != nil {
		if _, missing := exec.LookPath("nft"); missing != nil {
			return lab.MissingProgram("nft")
		}
		return fmt.Errorf("nft: %w: %s\n%s", err, out, rules)
	}
	return nil
}

// sourced is a setup in which servers see clients.
func sourced(divert func(*lab.Lab) error, flags ...string) setup {
	return setup{divert: divert, flags: append([]string{"--source=client"}, flags...)}
}

// anyClient is one of many clients: any address of the client's local prefixes.
func (w way) anyClient(i int) netip.Addr {
	if w.v6 {
		a := netip.MustParsePrefix(lab.ClientNet6).Addr().As16()
		a[14], a[15] = byte((i+1)>>8), byte(i+1)
		return netip.AddrFrom16(a)
	}
	a := netip.MustParsePrefix(lab.ClientNet4).Addr().As4()
	a[2], a[3] = byte((i+1)>>8), byte(i+1)
	return netip.AddrFrom4(a)
}

// udpClientAt is udpClient with an address of anyClient.
func (g *gateway) udpClientAt(t testing.TB, at netip.AddrPort) *net.UDPConn {
	t.Helper()
	conn := inside(t, g.Client, func() (*net.UDPConn, error) {
		config := net.ListenConfig{Control: transparent}
		c, err := config.ListenPacket(context.Background(), udpNetwork(at.Addr()), at.String())
		if err != nil {
			return nil, err
		}
		return c.(*net.UDPConn), nil
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// transparent lets a socket have any address (net.ListenConfig.Control).
func transparent(network, _ string, c syscall.RawConn) error {
	var err error
	controlErr := c.Control(func(fd uintptr) {
		if strings.HasSuffix(network, "6") {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1)
		} else {
			err = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_TRANSPARENT, 1)
		}
	})
	if controlErr != nil {
		return controlErr
	}
	return err
}

// TestUDPSource asserts that servers see the client's own address and port, and
// that their replies come back, whatever the port, size and number.
func TestUDPSource(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		s    setup
	}{
		{"client", sourced(divertSourced)},
		{"client-address", setup{divert: divertSourced, flags: []string{"--source=client-address"}}},
		{"kernel", sourced(divertForwarded, "--source-replies=kernel")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := startUDPGateway(t, c.s)
			overWays(t, udpWays(), func(t *testing.T, w way) {
				e, other := startEcho(t, g.Server, w.dest(0)), startEcho(t, g.Server, w.dest(1))
				for i, port := range []uint16{53, 1023, 4000, 4000, tproxyPort} {
					at := netip.AddrPortFrom(w.anyClient(i), port)
					client := g.udpClientAt(t, at)
					for _, dest := range []*echo{e, other} {
						for _, n := range []int{0, 1, 1200, 1472, 1473, 9000, 65507} {
							ask(t, client, dest.at, payload(n))
							if dest.last() != at {
								t.Fatalf("the server sees %v, want %v", dest.last(), at)
							}
						}
						for _, size := range []int{1, 100, 1200, 1400} {
							burst(t, client, dest.at, size)
						}
					}
				}
			})
			n := g.counters(t)
			if n.number("source_fallback") != 0 || n.number("dropped_reply") != 0 {
				t.Errorf("counted %v", n)
			}
			if replies := n.number("datagrams_to_client"); (c.name == "kernel") != (replies == 0) {
				t.Errorf("%d replies were counted", replies)
			}
		})
	}
}

// TestUDPSourceMasqueraded asserts that a gateway which hides its clients goes on
// to do so.
func TestUDPSourceMasqueraded(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, sourced(divertMasqueraded))
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e := startEcho(t, g.Server, w.dest(0))
		for i := range 20 {
			client := g.udpClientAt(t, netip.AddrPortFrom(w.anyClient(i), 5000))
			ask(t, client, e.at, payload(100+i))
			if e.last().Addr() != w.seen() {
				t.Fatalf("the server sees %v, want %v", e.last(), w.seen())
			}
		}
	})
}

// TestUDPSourceTimeout asserts that a session ends when it was idle, that a reply
// keeps it, and that one which comes later is dropped and counted.
func TestUDPSourceTimeout(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, sourced(divertSourced))
	overWays(t, udpWays(), func(t *testing.T, w way) {
		server := listenUDP(t, g.Server, w.dest(0))
		at := netip.AddrPortFrom(w.anyClient(0), 4000)
		client := g.udpClientAt(t, at)
		if _, err := client.WriteToUDPAddrPort([]byte("up"), w.dest(0)); err != nil {
			t.Fatal(err)
		}
		if got, err := next(server, patience); err != nil || got.from != at {
			t.Fatalf("from %v (%v), want %v", got.from, err, at)
		}
		pause, alive := time.NewTicker(udpTimeout/8), time.After(udpTimeout*3/2)
		for kept := true; kept; {
			select {
			case <-pause.C:
				_, _ = server.WriteToUDPAddrPort([]byte("down"), at)
				if _, err := next(client, patience); err != nil {
					t.Fatal(err)
				}
			case <-alive:
				kept = false
			}
		}
		pause.Stop()
		if n := g.counters(t).number("udp_sessions_now"); n != 1 {
			t.Errorf("the server keeps on sending, and there are %d sessions", n)
		}
		g.untilCounter(t, "udp_sessions_now", 0)
		before := g.counters(t).number("dropped_reply")
		_, _ = server.WriteToUDPAddrPort([]byte("late"), at)
		g.untilCounter(t, "dropped_reply", before+1)
		wantNothing(t, client)
	})
}

// TestUDPSourceFallback asserts that who cannot have a client's address gets the
// gateway's, or nothing, as the flag says.
func TestUDPSourceFallback(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		t.Run(fmt.Sprintf("refuse=%v", refuse), func(t *testing.T) {
			t.Parallel()
			s := sourced(divertSourced)
			if refuse {
				s.flags = append(s.flags, "--source-fallback=refuse")
			}
			g := startUDPGateway(t, s)
			w := way{tproxy: true, v6: true}
			e := startEcho(t, g.Server, w.dest(0))
			client := listenUDP(t, g.Client, linkLocal(t, g.Client))
			if refuse {
				if _, err := client.WriteToUDPAddrPort([]byte("x"), e.at); err != nil {
					t.Fatal(err)
				}
				g.untilCounter(t, "refused_source", 1)
				return
			}
			for _, n := range []int{0, 100, 20_000} {
				ask(t, client, e.at, payload(n))
				if e.last().Addr() != w.seen() {
					t.Fatalf("the server sees %v, want %v", e.last(), w.seen())
				}
			}
			g.untilCounter(t, "source_fallback", 1)
		})
	}
}
