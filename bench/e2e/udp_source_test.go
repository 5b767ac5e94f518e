//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// divertSourced hands every port to TPROXY, puts the client's leg into a conntrack
// zone of its own, and hands replies to what sluice sent as its clients to its
// sockets for replies.
func divertSourced(l *lab.Lab) error { return divertSourcedWith(l, "ct zone set 1", replyChain()) }

func replyChain() string {
	return fmt.Sprintf(`
	chain replies { type filter hook prerouting priority mangle;
		iifname != %[1]q meta nfproto ipv4 meta l4proto udp ct direction reply ct mark %[2]d meta mark set 1 tproxy ip to 198.51.100.1:%[3]d accept
		iifname != %[1]q meta nfproto ipv6 meta l4proto udp ct direction reply ct mark %[2]d meta mark set 1 tproxy ip6 to [2001:db8::2]:%[3]d accept
	}`, lab.LAN, lab.ProxyMark, tproxyPort)
}

// divertForwarded is the same, but that the kernel forwards replies by itself.
func divertForwarded(l *lab.Lab) error { return divertSourcedWith(l, "ct zone set 1", "") }

// divertMasqueraded is divertSourced on a gateway that hides its clients.
func divertMasqueraded(l *lab.Lab) error {
	if err := divertSourced(l); err != nil {
		return err
	}
	return nft(l.Gateway, fmt.Sprintf(`table inet hide { chain out { type nat hook postrouting priority srcnat; oifname %q masquerade; }; }`, lab.WAN))
}

func divertSourcedWith(l *lab.Lab, apart, replies string) error {
	if err := divertAll(l); err != nil {
		return err
	}
	return nft(l.Gateway, fmt.Sprintf(`table inet sourced {
	chain client_leg { type filter hook prerouting priority raw; iifname %[1]q meta l4proto { tcp, udp } %[4]s; }
	chain client_leg_out { type filter hook output priority raw; meta mark != %[2]d oifname %[1]q meta l4proto { tcp, udp } %[4]s; }
	chain too_big { type filter hook prerouting priority mangle; icmpv6 type packet-too-big ct mark %[2]d meta mark set 1 accept; }
	chain own_leg { type filter hook output priority mangle; meta mark %[2]d ct mark 0 fib saddr type != local ct mark set %[2]d; }
	%[3]s
}`, lab.LAN, lab.ProxyMark, replies, apart))
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

// divertToSockets hands every port to TPROXY, and what comes for transparent
// sockets to them.
func divertToSockets(l *lab.Lab) error {
	if err := divertAll(l); err != nil {
		return err
	}
	return nft(l.Gateway, fmt.Sprintf(`table inet sourced { chain owned { type filter hook prerouting priority mangle; iifname %q meta l4proto udp socket transparent 1 socket wildcard 0 meta mark set 1 accept; }; }`, lab.WAN))
}

// TestUDPSourceAddress asserts that servers see the address that the operator
// names, of each family that he names.
func TestUDPSourceAddress(t *testing.T) {
	t.Parallel()
	const of4, of6 = "203.0.113.5", "2001:db8:5::5"
	g := startUDPGateway(t, setup{divert: divertToSockets, flags: []string{"--source=" + of4 + "," + of6}})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e, other := startEcho(t, g.Server, w.dest(0)), startEcho(t, g.Server, w.dest(1))
		for range 20 {
			client := g.udpClient(t, w)
			var port uint16
			for _, dest := range []*echo{e, other} {
				for _, n := range []int{0, 1, 1200, 9000} {
					ask(t, client, dest.at, payload(n))
				}
				burst(t, client, dest.at, 1200)
				if port == 0 {
					port = dest.last().Port()
				}
				if want := netip.AddrPortFrom(w.pick(of4, of6), port); dest.last() != want {
					t.Fatalf("the server sees %v, want %v", dest.last(), want)
				}
			}
		}
	})
}

// TestUDPTOS asserts that the type of service of datagrams is carried over both
// ways, with the bits of ECN, whoever's address they bear; and that a fixed one is
// that of what goes to servers.
func TestUDPTOS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		s    setup
		up   int // type of service that the server sees; -1: the client's
	}{
		{"gateway", setup{flags: []string{"--tos=copy"}}, -1},
		{"client", sourced(divertSourced, "--tos=copy"), -1},
		{"gateway, fixed", setup{flags: []string{"--tos=ef"}}, 0xb8},
		{"client, fixed", sourced(divertSourced, "--tos=ef"), 0xb8},
		{"off", setup{}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := startUDPGateway(t, c.s)
			overWays(t, udpWays(), func(t *testing.T, w way) {
				client, server := g.udpClient(t, w), listenUDP(t, g.Server, w.dest(0))
				for _, conn := range []*net.UDPConn{client, server} {
					control(t, conn, func(fd int) error { return setTOS(fd, w, reportTOS, 1) })
				}
				for _, tos := range []int{0xb9, 0x2a, 0} {
					control(t, client, func(fd int) error { return setTOS(fd, w, ownTOS, tos) })
					want := tos
					if c.up >= 0 {
						want = c.up
					}
					if _, err := client.WriteToUDPAddrPort(payload(100), w.dest(0)); err != nil {
						t.Fatal(err)
					}
					from := wantTOS(t, server, want)
					back := tos ^ 0xff
					control(t, server, func(fd int) error { return setTOS(fd, w, ownTOS, back) })
					if _, err := server.WriteToUDPAddrPort(payload(100), from); err != nil {
						t.Fatal(err)
					}
					if c.up >= 0 {
						back = 0
					}
					wantTOS(t, client, back)
				}
			})
		})
	}
}

// What setTOS sets: of each family, the type of service of a socket's datagrams,
// and whether it tells that of others.
var (
	ownTOS    = [2][2]int{{unix.SOL_IP, unix.IP_TOS}, {unix.SOL_IPV6, unix.IPV6_TCLASS}}
	reportTOS = [2][2]int{{unix.SOL_IP, unix.IP_RECVTOS}, {unix.SOL_IPV6, unix.IPV6_RECVTCLASS}}
)

func setTOS(fd int, w way, which [2][2]int, value int) error {
	option := which[0]
	if w.v6 {
		option = which[1]
	}
	return unix.SetsockoptInt(fd, option[0], option[1], value)
}

// wantTOS reads a datagram and asserts its type of service; it returns whom it is
// from.
func wantTOS(t *testing.T, c *net.UDPConn, want int) netip.AddrPort {
	t.Helper()
	var data [2000]byte
	var oob [100]byte
	_ = c.SetReadDeadline(time.Now().Add(patience))
	_, n, _, from, err := c.ReadMsgUDPAddrPort(data[:], oob[:])
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		t.Fatalf("%d control messages, %v", len(messages), err)
	}
	if got := int(messages[0].Data[0]); got != want {
		t.Errorf("type of service %#x, want %#x", got, want)
	}
	return from
}

// TestUDPSourceTakeover asserts that no datagram is lost, either way, while one
// sluice after the other takes over, and that what was asked before is answered
// after.
func TestUDPSourceTakeover(t *testing.T) {
	t.Parallel()
	for _, w := range udpWays() {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			s := sourced(divertSourced, "--udp-timeout=5s")
			s.listen = []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)}
			g := startFirst(t, s)
			e, slow := startEcho(t, g.Server, w.dest(0)), listenUDP(t, g.Server, w.dest(1))
			asker := g.udpClientAt(t, netip.AddrPortFrom(w.anyClient(0), 4000))
			var answered atomic.Int64
			var asking sync.WaitGroup
			stop := make(chan struct{})
			asking.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					question := payload(10 + n%1000)
					if _, err := asker.WriteToUDPAddrPort(question, e.at); err != nil {
						t.Error(err)
					}
					if got, err := next(asker, patience); err != nil || len(got.data) != len(question) || got.from != e.at {
						t.Errorf("question %d: %d bytes from %v (%v)", n, len(got.data), got.from, err)
						return
					}
					answered.Add(1)
				}
			})
			for i := range 3 {
				client := g.udpClientAt(t, netip.AddrPortFrom(w.anyClient(1+i), 4000))
				if _, err := client.WriteToUDPAddrPort([]byte("question"), w.dest(1)); err != nil {
					t.Fatal(err)
				}
				question, err := next(slow, patience)
				if err != nil {
					t.Fatal(err)
				}
				old, before := g, answered.Load()
				g = g.succeed(t, s)
				untilWithin(t, patience, "the incumbent ends, which has no sessions left", old.ended)
				if _, err := slow.WriteToUDPAddrPort([]byte("answer"), question.from); err != nil {
					t.Fatal(err)
				}
				if got, err := next(client, patience); err != nil || string(got.data) != "answer" {
					t.Fatalf("%q came (%v)", got.data, err)
				}
				until(t, "questions are answered after it too", func() bool { return answered.Load() > before+1 })
			}
			close(stop)
			asking.Wait()
			if n := g.counters(t).number("dropped_reply"); n != 0 {
				t.Errorf("%d replies were dropped", n)
			}
			g.finish(t)
		})
	}
}

// TestUDPSourceReload asserts that the source of what comes changes by a reload,
// and back, and with it who takes replies.
func TestUDPSourceReload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sluice.json")
	write := func(source, replies string) {
		text := fmt.Sprintf(`{"inbounds": [{"type": "tproxy", "listen": "::", "listen_port": %d, "source": %q}], "source_replies": %q, "udp_timeout": "2s"}`, tproxyPort, source, replies)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("gateway", "proxy")
	s := setup{divert: divertSourced, listen: []string{"--config=" + file}}
	g := startGateway(t, s)
	g.shared = writeBackFDs
	for i, c := range []struct{ source, replies string }{
		{"client", "proxy"}, {"gateway", "proxy"}, {"client-address", "proxy"}, {"client", "kernel"}, {"gateway", "kernel"},
	} {
		write(c.source, c.replies)
		before := g.log.Len()
		g.signal(t, syscall.SIGHUP)
		until(t, "the file is read", func() bool { return len(g.log.since(before, message("reloaded"))) > 0 })
		overWays(t, udpWays(), func(t *testing.T, w way) {
			e := startEcho(t, g.Server, w.dest(0))
			at := netip.AddrPortFrom(w.anyClient(i), 4000)
			client, want := g.udpClientAt(t, at), at.Addr()
			if c.source == "gateway" {
				want = w.seen()
			}
			ask(t, client, e.at, payload(3000))
			if e.last().Addr() != want {
				t.Errorf("source %s: the server sees %v, want %v", c.source, e.last(), want)
			}
		})
	}
}

// TestUDPSourcePathMTU has a smaller MTU behind the server, of which only ICMP
// tells: datagrams are cut on their way or here, and an IPv6 client that forbids
// it learns why they do not arrive.
func TestUDPSourcePathMTU(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, sourced(divertSourced))
	far, err := g.Behind(g.Server, narrowMTU)
	if err != nil {
		t.Fatal(err)
	}
	overWays(t, udpWays(), func(t *testing.T, w way) {
		at := netip.AddrPortFrom(w.pick(far.V4.String(), far.V6.String()), w.port(0))
		echoFullDatagrams(t, g.Client, far.Namespace, at)
		if !w.v6 {
			return
		}
		at = netip.AddrPortFrom(at.Addr(), w.port(1))
		startEcho(t, far.Namespace, at)
		client := connectedUDP(t, g.Client, at)
		ask := func(n int) (answered bool) {
			_, _ = client.Write(payload(n))
			got, err := next(client, 300*time.Millisecond)
			return err == nil && len(got.data) == n
		}
		until(t, "what is too big is answered", func() bool { return ask(fullDatagram) })
	})
	if n := g.counters(t).number("icmp_to_client"); n == 0 {
		t.Error("no client was told")
	}
}
