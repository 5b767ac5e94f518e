//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// divertForeign is divertAll, and brings back what servers send to addresses that
// sluice's sockets bear. Without NAT there is no conntrack here, which would need
// zones.
func divertForeign(l *lab.Lab) error {
	return errors.Join(divertAll(l), bringBack(l))
}

func bringBack(l *lab.Lab) error {
	return l.Gateway.Run(context.Background(), "nft", `add table inet foreign;
		add chain inet foreign back { type filter hook prerouting priority mangle - 1; };
		add rule inet foreign back iifname wan tcp flags & (fin | syn | rst | ack) == syn return;
		add rule inet foreign back iifname wan meta l4proto tcp socket wildcard 1 return;
		add rule inet foreign back iifname wan meta l4proto tcp socket transparent 1 meta mark set 1 accept;`)
}

// sourceGateway is a gateway with a --source, whose tproxy inbound takes all.
func sourceGateway(t *testing.T, source string, flags ...string) *gateway {
	t.Helper()
	return startGateway(t, setup{
		listen: []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)}, divert: divertForeign,
		flags: append([]string{"--source=" + source}, flags...),
	})
}

// peerOf connects a client to the server, makes sure that both hear each other, and
// returns what the server sees.
func (g *gateway) peerOf(t *testing.T, ln *net.TCPListener, from netip.AddrPort) (client, server *net.TCPConn, seen netip.AddrPort) {
	t.Helper()
	client = inside(t, g.Client, func() (*net.TCPConn, error) {
		return connectReusing(from, ln.Addr().(*net.TCPAddr).AddrPort())
	})
	t.Cleanup(func() { client.Close() })
	server = accept(t, ln)
	mustWrite(t, client, payload(100))
	wantBytes(t, server, payload(100))
	mustWrite(t, server, payload(200))
	wantBytes(t, client, payload(200))
	return client, server, server.RemoteAddr().(*net.TCPAddr).AddrPort()
}

// connectReusing is connect from a port that was used before: it waits until that
// connection is over.
func connectReusing(from, to netip.AddrPort) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: patience, LocalAddr: net.TCPAddrFromAddrPort(from), Control: reuseAddr}
	conn, err := d.Dial("tcp", to.String())
	for start := time.Now(); errors.Is(err, unix.EADDRNOTAVAIL) && time.Since(start) < patience; {
		conn, err = d.Dial("tcp", to.String())
	}
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn), nil
}

func reuseAddr(_, _ string, c syscall.RawConn) error {
	var inner error
	err := c.Control(func(fd uintptr) { inner = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
	return errors.Join(err, inner)
}

// TestSources asserts what servers see, for each source, way and a few ports.
func TestSources(t *testing.T) {
	t.Parallel()
	const foreign4, foreign6 = "203.0.113.5", "2001:db8::5"
	for _, c := range []struct {
		source string
		over   []way
		want   func(w way, client netip.AddrPort) netip.AddrPort // port 0: any
	}{
		{"client", udpWays(), func(_ way, client netip.AddrPort) netip.AddrPort { return client }},
		{"client-address", ways(), func(_ way, client netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(client.Addr(), 0) }},
		{foreign4 + "," + foreign6, ways(), func(w way, _ netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(w.pick(foreign4, foreign6), 0) }},
		{foreign4, ways(), func(w way, _ netip.AddrPort) netip.AddrPort {
			return netip.AddrPortFrom(w.pick(foreign4, lab.GatewayWAN6), 0)
		}},
		{"gateway", ways(), func(w way, _ netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(w.seen(), 0) }},
	} {
		t.Run(c.source, func(t *testing.T) {
			s := setup{flags: []string{"--source=" + c.source}, divert: func(l *lab.Lab) error { return errors.Join(divertNFT(l), bringBack(l)) }}
			if len(c.over) == len(udpWays()) {
				s.listen, s.divert = []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)}, divertForeign
			}
			g := startGateway(t, s)
			overWays(t, c.over, func(t *testing.T, w way) {
				ln := listenTCP(t, g.Server, w.dest(0))
				for _, addr := range []netip.Addr{w.client(), w.normal()} {
					for _, port := range []uint16{500, 2000, 40000, tproxyPort} {
						from := netip.AddrPortFrom(addr, port)
						client, server, seen := g.peerOf(t, ln, from)
						want := c.want(w, from)
						if seen.Addr() != want.Addr() || want.Port() != 0 && seen.Port() != want.Port() {
							t.Errorf("the client is %v, the server sees %v, want %v", from, seen, want)
						}
						client.Close()
						wantEnd(t, server, nil)
						server.Close()
					}
				}
			})
			c := g.counters(t)
			for _, name := range []string{"source_fallback", "source_port_other", "failed_source"} {
				if n := c.number(name); n != 0 {
					t.Errorf("%s is %d", name, n)
				}
			}
		})
	}
}

// TestSourceCarriesBulk asserts that much arrives whole, both ways at once.
func TestSourceCarriesBulk(t *testing.T) {
	t.Parallel()
	g := sourceGateway(t, "client")
	const size = 8 << 20
	overWays(t, udpWays(), func(t *testing.T, w way) {
		ln := listenTCP(t, g.Server, w.dest(0))
		client, server, _ := g.peerOf(t, ln, netip.AddrPortFrom(w.normal(), 0))
		back := make(chan error, 1)
		go func() { back <- transfer(server, client, 2, size, digestOf(2, size)) }()
		if err := errors.Join(transfer(client, server, 1, size, digestOf(1, size)), <-back); err != nil {
			t.Error(err)
		}
		client.Close()
	})
}

// TestSourceOfManyAtOnce asserts that clients which use one port at once each keep
// it, towards several servers, and that the gateway's own sockets still get ports
// when clients have used all.
func TestSourceOfManyAtOnce(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{
		listen: []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)}, flags: []string{"--source=client"},
		divert: func(l *lab.Lab) error {
			return errors.Join(l.Gateway.Sysctl("net/ipv4/ip_local_port_range", "40000 40031"), divertForeign(l))
		},
	})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		a, b := listenTCP(t, g.Server, w.dest(0)), listenTCP(t, g.Server, w.dest(1))
		for port := uint16(39999); port < 40033; port++ {
			for _, ln := range []*net.TCPListener{a, b} {
				from := netip.AddrPortFrom(w.normal(), port)
				if _, _, seen := g.peerOf(t, ln, from); seen != from {
					t.Errorf("%v is seen as %v", from, seen)
				}
			}
		}
		own := inside(t, g.Gateway, func() (*net.TCPConn, error) { return connect(netip.AddrPort{}, w.dest(0)) })
		own.Close()
		accept(t, a).Close()
	})
	if n := g.counters(t).number("source_port_other"); n != 0 {
		t.Errorf("source_port_other is %d", n)
	}
}

// TestSourcePortOther asserts that a client is served from another port where
// its own cannot be had: another socket of the gateway's has the same tuple, or a
// service of the gateway's has the port.
func TestSourcePortOther(t *testing.T) {
	t.Parallel()
	g := sourceGateway(t, "client")
	overWays(t, udpWays(), func(t *testing.T, w way) {
		ln := listenTCP(t, g.Server, w.dest(0))
		for _, port := range []uint16{700, 40000} {
			from := netip.AddrPortFrom(w.normal(), port)
			inside(t, g.Gateway, func() (int, error) { return takeTuple(t, from, w.dest(0)) })
			accept(t, ln)
			g.wantOtherPort(t, ln, from)

			from = netip.AddrPortFrom(w.normal(), port+1)
			listenTCP(t, g.Gateway, netip.AddrPortFrom(w.pick("0.0.0.0", "::"), from.Port()))
			g.wantOtherPort(t, ln, from)
		}
	})
}

// wantOtherPort asserts that a client is seen with another port, and that this is
// counted.
func (g *gateway) wantOtherPort(t *testing.T, ln *net.TCPListener, from netip.AddrPort) {
	t.Helper()
	before := g.counters(t).number("source_port_other")
	client, server, seen := g.peerOf(t, ln, from)
	if seen.Addr() != from.Addr() || seen.Port() == from.Port() {
		t.Errorf("%v is seen as %v", from, seen)
	}
	g.untilCounter(t, "source_port_other", before+1)
	client.Close()
	server.Close()
}

// takeTuple connects a transparent socket of the calling thread's namespace.
func takeTuple(t *testing.T, from, to netip.AddrPort) (fd int, err error) {
	family, level, option := unix.AF_INET, unix.SOL_IP, unix.IP_TRANSPARENT
	if from.Addr().Is6() {
		family, level, option = unix.AF_INET6, unix.SOL_IPV6, unix.IPV6_TRANSPARENT
	}
	if fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd, errors.Join(unix.SetsockoptInt(fd, level, option, 1), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, sockaddrOf(from)), unix.Connect(fd, sockaddrOf(to)))
}

func sockaddrOf(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// TestSourcePortIsUsedAgain has a client use one port again and again, while the
// last connection of sluice's is in TIME_WAIT: with timestamps it keeps the port,
// without it gets another.
func TestSourcePortIsUsedAgain(t *testing.T) {
	t.Parallel()
	for _, timestamps := range []bool{true, false} {
		t.Run(fmt.Sprintf("timestamps=%v", timestamps), func(t *testing.T) {
			g := sourceGateway(t, "client")
			if err := g.Client.Sysctl("net/ipv4/tcp_max_tw_buckets", "0"); err != nil { // the client forgets at once
				t.Fatal(err)
			}
			if !timestamps {
				if err := g.Server.Sysctl("net/ipv4/tcp_timestamps", "0"); err != nil {
					t.Fatal(err)
				}
			}
			overWays(t, udpWays(), func(t *testing.T, w way) {
				const times = 60
				ln := listenTCP(t, g.Server, w.dest(0))
				from := netip.AddrPortFrom(w.normal(), 40000)
				var seen []netip.AddrPort
				start := time.Now()
				for range times {
					client, server, peer := g.peerOf(t, ln, from)
					if err := client.CloseWrite(); err != nil { // first, so that TIME_WAIT is the upstream's
						t.Fatal(err)
					}
					wantEnd(t, server, nil)
					server.Close()
					wantEnd(t, client, nil) // a SYN that comes before sluice's own end is sent again after 1 s
					client.Close()
					seen = append(seen, peer)
				}
				took := time.Since(start)
				kept := times - len(slices.DeleteFunc(seen, func(peer netip.AddrPort) bool { return peer == from }))
				t.Logf("%d connections in %v, %d of them from the client's port", times, took, kept)
				// A busy machine may still send the last ACK after the next SYN.
				if timestamps && (kept != times || took > 4*time.Second && !raceEnabled) {
					t.Error("want all, within a second or a few")
				}
				if !timestamps && (kept == 0 || kept == times) {
					t.Error("want some: the first, and those that came after another port's")
				}
			})
		})
	}
}

// TestSourceFallback asserts who gets the gateway's source, or a reset.
func TestSourceFallback(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		t.Run(fmt.Sprintf("refuse=%v", refuse), func(t *testing.T) {
			fallback, counter := "gateway", "source_fallback"
			if refuse {
				fallback, counter = "refuse", "refused_source"
			}
			g := startGateway(t, setup{
				listen: []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)}, flags: []string{"--source=client", "--source-fallback=" + fallback, "--connect-timeout=2s"},
				divert: func(l *lab.Lab) error { return errors.Join(divertOutput(l), bringBack(l)) },
			})
			run(t, g.Gateway, "ip", "addr", "add", "10.99.0.1/24", "dev", lab.LAN)
			run(t, g.Client, "ip", "addr", "add", "10.99.0.2/32", "dev", lab.LAN)
			run(t, g.Client, "ip", "route", "add", "10.99.0.7", "via", lab.GatewayLAN4)
			before := 0
			wantOne := func(what string, n int) {
				t.Helper()
				if !eventually(patience, func() bool { return g.counters(t).number(counter) >= before+n }) {
					t.Errorf("%s is not counted: %v", what, g.counters(t))
				}
				before = g.counters(t).number(counter)
			}
			overWays(t, udpWays(), func(t *testing.T, w way) {
				echoTCP(t, g.Server, w.dest(0))
				served := func(what string, conn *net.TCPConn, err error) {
					t.Helper()
					if err == nil {
						err = exchange(conn, what)
						conn.Close()
					}
					if got := err == nil; got == refuse {
						t.Errorf("%s: %v", what, err)
					}
					wantOne(what, 1)
				}
				var conn *net.TCPConn
				err := g.Gateway.Do(func() (err error) { conn, err = connect(netip.AddrPort{}, w.dest(0)); return err })
				served("the gateway itself", conn, err)
				if w.v6 {
					near := linkLocal(t, g.Client)
					err = g.Client.Do(func() (err error) { conn, err = connect(near, w.dest(0)); return err })
					served("a link-local client", conn, err)
				}
			})
			// Nobody answers there; that nobody could is what is known before.
			_ = g.Client.Do(func() error {
				conn, err := connect(netip.MustParseAddrPort("10.99.0.2:0"), netip.MustParseAddrPort("10.99.0.7:80"))
				if err == nil {
					conn.Close()
				}
				return err
			})
			wantOne("a neighbour", 1)
			lines := g.log.since(0, func(e entry) bool { return e.text("cause") == counter && e.text("dest") == "10.99.0.7:80" })
			if len(lines) != 1 || lines[0].text("client") == "" || lines[0].text("error") == "" && !refuse {
				t.Errorf("logged as %v", lines)
			}
		})
	}
}

// TestSourceFailureIsNamed asserts that a line about an upstream that cannot be
// reached says which source it had.
func TestSourceFailureIsNamed(t *testing.T) {
	t.Parallel()
	g := sourceGateway(t, "client")
	for _, w := range udpWays() {
		from := netip.AddrPortFrom(w.normal(), 40000)
		wantRefused(t, g, from, w.dest(0))
		until(t, "the line", func() bool {
			return len(g.log.since(0, func(e entry) bool {
				return e.text("cause") == "upstream_refused" && e.text("source") == from.String()
			})) > 0
		})
	}
}

// TestSourceUnderConfinement asserts that a user without capabilities of its own
// keeps what the source needs, ports below 1024 included.
func TestSourceUnderConfinement(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root to become another user")
	}
	g := sourceGateway(t, "client", "--user=nobody", "--confine=require")
	for _, w := range udpWays() {
		ln := listenTCP(t, g.Server, w.dest(0))
		for _, port := range []uint16{700, 40000} {
			from := netip.AddrPortFrom(w.normal(), port)
			if _, _, seen := g.peerOf(t, ln, from); seen != from {
				t.Errorf("%v is seen as %v", from, seen)
			}
		}
	}
}

// TestForeignPacketsWithoutTheirMark has another program divert what sluice sends
// from clients' addresses: nothing multiplies.
func TestForeignPacketsWithoutTheirMark(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"client", "client-address"} {
		t.Run(source, func(t *testing.T) {
			g := sourceGateway(t, source, "--connect-timeout=2s")
			run(t, g.Gateway, "nft", `add table inet own;
				add chain inet own pre { type filter hook prerouting priority mangle - 2; };
				add rule inet own pre iifname lo meta mark 1 meta l4proto tcp socket transparent 1 socket wildcard 0 accept;
				add rule inet own pre iifname lo meta mark 1 meta l4proto tcp tproxy to :12345;
				add chain inet own out { type route hook output priority mangle; };
				add rule inet own out oifname wan meta l4proto tcp meta mark set 1;`)
			for _, w := range udpWays() {
				echoTCP(t, g.Server, w.dest(0))
				wantRefused(t, g, netip.AddrPortFrom(w.normal(), 0), w.dest(0))
			}
			if c := g.counters(t); c.number("conns_accepted") != 2 || c.number("upstream_timeout") != 2 {
				t.Errorf("two connections became %v", c)
			}
		})
	}
}

// TestSourceNotHere asserts that a source which the machine does not have is said
// at the start.
func TestSourceNotHere(t *testing.T) {
	t.Parallel()
	g := sourceGateway(t, "203.0.113.5,"+lab.GatewayWAN6)
	lines := g.log.since(0, func(e entry) bool { return e.text("source") != "" && e.text("level") == "warn" })
	if len(lines) != 1 || lines[0].text("source") != "203.0.113.5" {
		t.Errorf("%v", lines)
	}
}
