//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// beginDrain signals sluice and waits until it drains.
func beginDrain(t *testing.T, g *gateway, s syscall.Signal) {
	t.Helper()
	g.signal(t, s)
	until(t, "sluice drains", func() bool { return len(g.log.since(0, message("draining"))) > 0 })
}

// TestDrain asserts that running connections finish after the signal, that no new
// ones begin, and that sluice exits as soon as the last has ended.
func TestDrain(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{flags: []string{"--drain-timeout=1m"}})
			var pairs [][2]*net.TCPConn
			for _, w := range ways() {
				client, server := g.pair(t, w)
				pairs = append(pairs, [2]*net.TCPConn{client, server})
			}
			beginDrain(t, g, s)
			until(t, "new connections are refused", func() bool {
				_, err := inClient(g, way{}.dest(0))
				return errors.Is(err, unix.ECONNREFUSED)
			})
			if g.ended() {
				t.Fatal("ended while connections were running")
			}
			for _, p := range pairs {
				lateReply(t, func() (near, far *net.TCPConn) { return p[0], p[1] })
			}
			g.assertExit(t)
		})
	}
}

// TestDrainServesTheQueue asserts that connections which the kernel accepted
// before the signal are served, also when sluice has not yet taken them.
func TestDrainServesTheQueue(t *testing.T) {
	t.Parallel()
	const n = 1000
	g := startGateway(t, setup{flags: []string{"--drain-timeout=1m"}})
	for _, w := range ways() {
		echoTCP(t, g.Server, w.dest(0))
	}
	g.halt(t)
	conns := make([]*net.TCPConn, n)
	if err := g.crowd(n, func(i int, c *net.TCPConn) error { conns[i] = c; return nil }); err != nil {
		t.Fatal(err)
	}
	g.signal(t, syscall.SIGTERM)
	g.signal(t, syscall.SIGCONT)
	failed := 0
	for i, c := range conns {
		if err := exchange(c, fmt.Sprintf("%05d", i)); err != nil {
			failed++
		}
		c.Close()
	}
	if failed > 0 {
		t.Errorf("%d of %d connections failed", failed, n)
	}
	g.assertExit(t)
}

func inClient(g *gateway, dest netip.AddrPort) (conn *net.TCPConn, err error) {
	err = g.Client.Do(func() (err error) {
		conn, err = connect(netip.AddrPort{}, dest)
		return err
	})
	return conn, err
}

// TestDrainEnds asserts that what still runs is reset at the deadline, or at
// once by a second signal.
func TestDrainEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *gateway){
		"deadline":      func(*testing.T, *gateway) {},
		"second signal": func(t *testing.T, g *gateway) { g.signal(t, syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := time.Second
			if name != "deadline" {
				limit = time.Hour
			}
			g := startGateway(t, setup{flags: []string{"--drain-timeout=" + limit.String()}})
			var conns []*net.TCPConn
			for _, w := range ways() {
				client, server := g.pair(t, w)
				conns = append(conns, client, server)
			}
			start := time.Now()
			beginDrain(t, g, syscall.SIGTERM)
			end(t, g)
			for _, c := range conns {
				wantReset(t, c, nil)
			}
			g.assertExit(t)
			if took := time.Since(start); name == "deadline" && took < limit {
				t.Errorf("ended after %v, before the deadline", took)
			}
		})
	}
}

// TestRefusesToStart asserts that each thing that is missing has its message.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	setpriv := needProgram(t, "setpriv", "util-linux")
	l := lab.For(t, lab.Options{})
	if err := divertNFT(l); err != nil {
		t.Fatal(err)
	}
	holder := startHolder(t, l)
	for name, c := range map[string]struct {
		setup
		words []string
	}{
		"nothing to listen on": {setup{listen: []string{}}, []string{"nothing to listen on", "--redirect", "--tproxy"}},
		"unknown flag":         {setup{flags: []string{"--bogus"}}, []string{"--bogus"}},
		"bad address":          {setup{listen: []string{"--redirect=nowhere"}}, []string{"--redirect", "nowhere", ":PORT"}},
		"bad port":             {setup{listen: []string{"--tproxy=:70000"}}, []string{"--tproxy", "70000"}},
		"bad duration":         {setup{flags: []string{"--udp-timeout=-1s"}}, []string{"--udp-timeout"}},
		"bad mode":             {setup{flags: []string{"--relay=teleport"}}, []string{"--relay", "teleport", "auto", "copy", "splice"}},
		"bad network":          {setup{flags: []string{"--tproxy-network=sctp"}}, []string{"--tproxy-network", "sctp"}},
		"tcp port in use":      {setup{listen: []string{"--redirect=:12346"}}, []string{"12346", "address already in use", holder}},
		"udp port in use":      {setup{listen: []string{"--tproxy=:12347"}}, []string{"udp", "12347", "address already in use", holder}},
		"no capabilities": {setup{under: []string{setpriv, "--bounding-set=-net_admin,-net_raw", "--"}, listen: []string{"--tproxy=:12345"}},
			[]string{"CAP_NET_ADMIN", "CAP_NET_RAW", "root"}},
		"no CAP_NET_RAW": {setup{under: []string{setpriv, "--bounding-set=-net_raw", "--"}, listen: []string{"--tproxy=:12345"}},
			[]string{"CAP_NET_RAW is missing", "root"}},
		"fd limit too low": {setup{under: []string{needProgram(t, "prlimit", "util-linux"), "--nofile=100:100"}}, []string{"fd limit", "100"}},
		"fd limit too low for the listeners": {setup{under: []string{needProgram(t, "prlimit", "util-linux"), "--nofile=600:600"},
			flags: []string{"--reactors=2"}, listen: manyListeners(50)}, []string{"fd limit", "600", "50 inbounds", "listeners take 600"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := launch(t, l, c.setup)
			until(t, "sluice ends", g.ended)
			if g.exit == nil {
				t.Error("exited with 0")
			}
			for _, word := range c.words {
				if !strings.Contains(g.log.String(), word) {
					t.Errorf("%q is missing", word)
				}
			}
			if strings.Contains(g.log.String(), "goroutine ") {
				t.Error("it panicked")
			}
		})
	}
}

// manyListeners are the flags of n inbounds.
func manyListeners(n int) (flags []string) {
	for i := range n {
		flags = append(flags, fmt.Sprintf("--tproxy=:%d", 13000+i))
	}
	return flags
}

// startHolder holds TCP port 12346 and UDP port 12347 of the gateway, and
// returns what names the process.
func startHolder(t *testing.T, l *lab.Lab) string {
	t.Helper()
	listenTCP(t, l.Gateway, netip.MustParseAddrPort("0.0.0.0:12346"))
	listenUDP(t, l.Gateway, netip.MustParseAddrPort("[::]:12347"))
	self, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(self)), os.Getpid())
}

// TestSecondSluice asserts that a second sluice that is not to take over does not
// share the first one's ports unnoticed.
func TestSecondSluice(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	second := launch(t, g.Lab, setup{flags: []string{"--takeover=off"}})
	until(t, "the second sluice ends", second.ended)
	name := filepath.Base(os.Getenv(binaryEnv))
	want := fmt.Sprintf("held by %.15s (pid %d)", name, g.Process) // comm holds 15 bytes
	if second.exit == nil || !strings.Contains(second.log.String(), want) {
		t.Errorf("exit %v, want %q in %s", second.exit, want, second.log)
	}
}

// TestWithoutIPv6 asserts that :PORT listens where IPv6 is disabled.
func TestWithoutIPv6(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{divert: func(l *lab.Lab) error {
		return errors.Join(divertNFT(l), l.Gateway.Sysctl("net/ipv6/conf/all/disable_ipv6", "1"))
	}, flags: []string{"--udp-timeout=1s"}})
	g.shared = writeBackFDs
	for _, w := range []way{{}, {tproxy: true}} {
		client, server := g.pair(t, w)
		mustWrite(t, client, payload(1000))
		client.Close()
		wantEnd(t, server, payload(1000))
		server.Close()
	}
	w := way{tproxy: true}
	e := startEcho(t, g.Server, w.dest(0))
	ask(t, g.udpClient(t, w), e.at, payload(100))
}

// TestOneFamily asserts that ADDR may name one family, or one address: the one of
// the interface that traffic enters by, which is where REDIRECT and TPROXY to a
// port lead (iptables-extensions(8)).
func TestOneFamily(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			for _, at := range []netip.Addr{w.pick("0.0.0.0", "::"), w.gateway()} {
				flag := "--redirect="
				if w.tproxy {
					flag = "--tproxy="
				}
				g := startGateway(t, setup{listen: []string{flag + netip.AddrPortFrom(at, w.listener()).String()}})
				client, server := g.pair(t, w)
				mustWrite(t, client, payload(1000))
				client.Close()
				wantEnd(t, server, payload(1000))
				server.Close()
			}
		})
	}
}
