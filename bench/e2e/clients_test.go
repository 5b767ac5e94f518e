//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// greedy and normal are two clients, and neighbour one in the IPv6 network of
// normal; each is another address than the lab's own client.
func (w way) greedy() netip.Addr    { return w.client() }
func (w way) normal() netip.Addr    { return w.pick("10.78.0.1", "fd78::1") }
func (w way) neighbour() netip.Addr { return w.pick("10.78.0.2", "fd78::2") }

// from connects as a client, and makes sure that it is served.
func (g *gateway) from(t *testing.T, client netip.Addr, dest netip.AddrPort) *net.TCPConn {
	t.Helper()
	c := inside(t, g.Client, func() (*net.TCPConn, error) { return connect(netip.AddrPortFrom(client, 0), dest) })
	t.Cleanup(func() { c.Close() })
	if err := exchange(c, "served?"); err != nil {
		t.Fatalf("%v: %v", client, err)
	}
	return c
}

// wantServed asserts that a client is served, by a connection of its own.
func (g *gateway) wantServed(t *testing.T, client netip.Addr, dest netip.AddrPort) {
	t.Helper()
	g.from(t, client, dest).Close()
}

// hold opens n connections of a client, each of which is served.
func (g *gateway) hold(t *testing.T, n int, client netip.Addr, dest netip.AddrPort) []*net.TCPConn {
	t.Helper()
	conns := make([]*net.TCPConn, n)
	for i := range conns {
		conns[i] = g.from(t, client, dest)
	}
	return conns
}

func closeAll(conns []*net.TCPConn) {
	for _, c := range conns {
		c.Close()
	}
}

// TestClientConns asserts that a client which has as many connections as it may
// gets a reset, that others do not notice, and that all of an IPv6 network have
// half as many again.
func TestClientConns(t *testing.T) {
	t.Parallel()
	const bound = 8
	overWays(t, ways(), func(t *testing.T, w way) {
		t.Parallel()
		g := startGateway(t, setup{flags: []string{fmt.Sprintf("--client-conns=%d", bound)}})
		echoTCP(t, g.Server, w.dest(0))
		held := g.hold(t, bound, w.greedy(), w.dest(0))
		for range 5 {
			wantRefused(t, g, netip.AddrPortFrom(w.greedy(), 0), w.dest(0))
			g.wantServed(t, w.normal(), w.dest(0))
		}
		if n := g.counters(t).number("refused_client_conns"); n != 5 {
			t.Errorf("refused_client_conns is %d, want 5", n)
		}
		lines := g.log.since(0, func(e entry) bool {
			return e.text("cause") == "refused_client_conns" && e.text("flag") == "--client-conns" && e.number("bound") == bound
		})
		if len(lines) == 0 {
			t.Error("no line names the bound")
		}
		for _, c := range held {
			if err := exchange(c, "still there?"); err != nil {
				t.Error(err)
			}
		}
		held[0].Close()
		until(t, "the place is free", func() bool { return g.counters(t).number("conns_now") < bound })
		held[0] = g.from(t, w.greedy(), w.dest(0))
		closeAll(held)
		until(t, "all is given back", func() bool { return g.counters(t).number("conns_now") == 0 })

		held = g.hold(t, bound, w.normal(), w.dest(0))
		held = append(held, g.hold(t, bound/2, w.neighbour(), w.dest(0))...)
		if w.v6 {
			wantRefused(t, g, netip.AddrPortFrom(w.neighbour(), 0), w.dest(0))
			wantRefused(t, g, netip.AddrPortFrom(netip.MustParseAddr("fd78::3"), 0), w.dest(0))
		} else {
			g.wantServed(t, w.neighbour(), w.dest(0))
		}
		g.wantServed(t, w.greedy(), w.dest(0))
		closeAll(held)
	})
}

// reload gives sluice other settings beside the inbounds of both kinds.
func (g *gateway) reload(t *testing.T, path, settings string) {
	t.Helper()
	configureClients(t, path, settings)
	g.reread(t)
}

// reread has sluice reload.
func (g *gateway) reread(t *testing.T) {
	t.Helper()
	before := g.log.Len()
	g.signal(t, syscall.SIGHUP)
	until(t, "sluice has reloaded", func() bool { return len(g.log.since(before, message("reloaded"))) > 0 })
}

func configureClients(t *testing.T, path, settings string) {
	t.Helper()
	writeFile(t, path, fmt.Sprintf(`{"inbounds": [{"type": "redirect", "listen_port": %d}, {"type": "tproxy", "listen_port": %d}], %s}`,
		redirectPort, tproxyPort, settings))
}

// TestClientBoundsReload asserts that lower bounds cut nothing, and that who is
// exempt for a while is counted all the while.
func TestClientBoundsReload(t *testing.T) {
	t.Parallel()
	overWays(t, ways(), func(t *testing.T, w way) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "sluice.json")
		configureClients(t, path, `"client_conns": 6`)
		g := startGateway(t, setup{listen: []string{"--config=" + path}})
		echoTCP(t, g.Server, w.dest(0))
		held := g.hold(t, 6, w.greedy(), w.dest(0))
		g.reload(t, path, `"client_conns": 3, "client_prefix": 128`)
		wantRefused(t, g, netip.AddrPortFrom(w.greedy(), 0), w.dest(0))
		g.reload(t, path, fmt.Sprintf(`"client_conns": 3, "client_prefix": 56, "client_exempt": [%q]`, w.greedy()))
		held = append(held, g.hold(t, 3, w.greedy(), w.dest(0))...)
		for _, c := range held {
			if err := exchange(c, "still there?"); err != nil {
				t.Error(err)
			}
		}
		g.reload(t, path, `"client_conns": 3`)
		for n := len(held); n >= 3; n = len(held) {
			wantRefused(t, g, netip.AddrPortFrom(w.greedy(), 0), w.dest(0))
			held[0].Close()
			held = held[1:]
			until(t, "one has ended", func() bool { return g.counters(t).number("conns_now") < n })
		}
		held = append(held, g.from(t, w.greedy(), w.dest(0)))
		wantRefused(t, g, netip.AddrPortFrom(w.greedy(), 0), w.dest(0))
		closeAll(held)
	})
}

// TestClientDials asserts that a client whose dials nobody answers has so many at
// once, the oldest of which give way after a while, and that others are served
// all the while.
func TestClientDials(t *testing.T) {
	t.Parallel()
	const bound = 6
	overWays(t, ways(), func(t *testing.T, w way) {
		t.Parallel()
		g := startGateway(t, setup{flags: []string{fmt.Sprintf("--client-dials=%d", bound), "--connect-timeout=1m"}})
		echoTCP(t, g.Server, w.dest(0))
		hole := w.dest(1)
		filter(t, g.Server, fmt.Sprintf("tcp dport %d drop", hole.Port()))
		var greedy []*net.TCPConn
		open := func() {
			_ = g.Client.Do(func() error { // a reset may overtake the end of connect(2)
				c, err := connect(netip.AddrPortFrom(w.greedy(), 0), hole)
				if err == nil {
					greedy = append(greedy, c)
				}
				return err
			})
		}
		for range bound {
			open()
		}
		until(t, "all dial", func() bool { return g.counters(t).number("conns_now") == bound })
		wantRefused(t, g, netip.AddrPortFrom(w.greedy(), 0), hole)
		wantRefused(t, g, netip.AddrPortFrom(w.greedy(), 0), w.dest(0))
		g.wantServed(t, w.normal(), w.dest(0))

		until(t, "an old dial gives way", func() bool {
			open()
			g.wantServed(t, w.normal(), w.dest(0))
			pass(100 * time.Millisecond)
			return g.counters(t).number("dials_replaced") > 0
		})
		c := g.counters(t)
		if now := c.number("conns_now"); now > bound+1 || c.number("refused_client_dials") < 2 { // the normal one may not have ended yet
			t.Errorf("%d connections, %d refused", now, c.number("refused_client_dials"))
		}
		for _, c := range greedy {
			_ = c.SetLinger(0)
		}
		closeAll(greedy)
	})
}

// TestClientsGone asserts that a client which resets before sluice has seen it
// costs no connection to the server, and that one which only ends its own side,
// with or without a word, is served.
func TestClientsGone(t *testing.T) {
	t.Parallel()
	const each = 10
	g := startGateway(t, setup{})
	overWays(t, ways(), func(t *testing.T, w way) {
		var mu sync.Mutex
		questions := map[string]int{}
		serveTCP(t, g.Server, w.dest(0), func(c *net.TCPConn) {
			question, _ := io.ReadAll(c)
			mu.Lock()
			questions[string(question)]++
			mu.Unlock()
			_, _ = io.WriteString(c, "answer")
		})
		gone := g.counters(t).number("client_gave_up")
		g.halt(t)
		var waiting []*net.TCPConn
		left := map[netip.AddrPort]bool{}
		for range each {
			for _, question := range []string{"", "question"} {
				c := dialTCP(t, g.Client, w.dest(0))
				mustWrite(t, c, []byte(question))
				mustCloseWrite(t, c)
				waiting = append(waiting, c)
			}
			c := dialTCP(t, g.Client, w.dest(0))
			left[c.LocalAddr().(*net.TCPAddr).AddrPort()] = true
			_ = c.SetLinger(0)
			c.Close()
		}
		until(t, "the gateway has the resets", func() bool { return !connected(t, g.Gateway, left) })
		g.signal(t, syscall.SIGCONT)
		for _, c := range waiting {
			wantEnd(t, c, []byte("answer"))
			c.Close()
		}
		g.untilCounter(t, "client_gave_up", gone+each)
		mu.Lock()
		defer mu.Unlock()
		if questions[""] != each || questions["question"] != each || len(questions) != 2 {
			t.Errorf("the server was asked %v", questions)
		}
	})
}

// TestClientSessions asserts that a client with as many UDP sessions as it may
// gives up the oldest that nobody waits on, that its datagrams are dropped where
// all are waited on, and that others do not notice.
func TestClientSessions(t *testing.T) {
	t.Parallel()
	const bound = 8
	overWays(t, udpWays(), func(t *testing.T, w way) {
		t.Parallel()
		g := startUDPGateway(t, setup{flags: []string{
			fmt.Sprintf("--client-sessions=%d", bound), "--udp-timeout=5s"}})
		e := startEcho(t, g.Server, w.dest(0))
		silent := listenUDP(t, g.Server, w.dest(1))
		as := func(client netip.Addr) *net.UDPConn {
			return listenUDP(t, g.Client, netip.AddrPortFrom(client, 0))
		}
		other := as(w.normal())
		ask(t, other, e.at, payload(1))
		upstream := e.last()
		for i := range 3 * bound { // those that were answered give way
			ask(t, as(w.greedy()), e.at, payload(i))
		}
		if c := g.counters(t); c.number("udp_sessions_now") != bound+1 || c.number("udp_sessions_replaced") != 2*bound {
			t.Errorf("%d sessions, %d replaced", c.number("udp_sessions_now"), c.number("udp_sessions_replaced"))
		}
		for i := range 5 * bound { // those that wait for their answer do not
			if _, err := as(w.greedy()).WriteToUDPAddrPort(payload(i), silent.LocalAddr().(*net.UDPAddr).AddrPort()); err != nil {
				t.Fatal(err)
			}
		}
		until(t, "some are refused", func() bool { return g.counters(t).number("refused_client_sessions") >= bound })
		if now := g.counters(t).number("udp_sessions_now"); now > bound+1 {
			t.Errorf("%d sessions", now)
		}
		if lines := g.log.since(0, func(e entry) bool { return e.text("flag") == "--client-sessions" }); len(lines) == 0 {
			t.Error("no line names the bound")
		}
		ask(t, other, e.at, payload(2))
		if e.last() != upstream {
			t.Error("another client's session was ended")
		}
		again := as(w.greedy())
		until(t, "what nobody answered gives way", func() bool {
			_, _ = again.WriteToUDPAddrPort(payload(9), e.at)
			_, err := next(again, 100*time.Millisecond)
			return err == nil
		})
	})
}
