//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"sluice/bench/lab"
)

// dialers is how many connect at the same time.
const dialers = 8

// crowdTime bounds what many connections do together.
const crowdTime = 60 * time.Second

// echoTCP answers every connection with what it sends, until the test ends.
func echoTCP(tb testing.TB, ns *lab.Namespace, at netip.AddrPort) {
	tb.Helper()
	serveTCP(tb, ns, at, func(conn *net.TCPConn) {
		_ = conn.SetDeadline(time.Now().Add(crowdTime))
		buf := make([]byte, 64) // io.Copy would splice, through a pipe for each connection
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			if _, err := conn.Write(buf[:n]); err != nil {
				return
			}
		}
	})
}

// exchange asks an echo server one question.
func exchange(c net.Conn, question string) error {
	answer := make([]byte, len(question))
	if _, err := io.WriteString(c, question); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	if string(answer) != question {
		return fmt.Errorf("%q came as %q", question, answer)
	}
	return nil
}

// crowd makes n connections from inside the client over all ways, dialers at a
// time, and does something with each, numbered from 0.
func (g *gateway) crowd(n int, each func(i int, c *net.TCPConn) error) error {
	errs := make([]error, dialers)
	var all sync.WaitGroup
	for d := range dialers {
		all.Go(func() {
			errs[d] = g.Client.Do(func() error {
				for i := d; i < n; i += dialers {
					conn, err := connect(netip.AddrPort{}, ways()[i%4].dest(0))
					if err == nil {
						_ = conn.SetDeadline(time.Now().Add(crowdTime))
						err = each(i, conn)
					}
					if err != nil {
						return fmt.Errorf("connection %d: %w", i, err)
					}
				}
				return nil
			})
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

func TestManyConnectionsAtOnce(t *testing.T) {
	const n = 5000
	g := startGateway(t, setup{plain: true, flags: []string{"--udp-sessions=1000"}}) // more fds for TCP, however many reactors
	for _, w := range ways() {
		echoTCP(t, g.Server, w.dest(0))
	}
	conns := make([]*net.TCPConn, n)
	if err := g.crowd(n, func(i int, c *net.TCPConn) error {
		conns[i] = c
		return exchange(c, fmt.Sprintf("%05d", i))
	}); err != nil {
		t.Fatal(err)
	}
	if now := g.counters(t).number("conns_now"); now != n {
		t.Errorf("%d connections at once, want %d", now, n)
	}
	g.assertIdle(t)
	for i, c := range conns {
		if err := exchange(c, fmt.Sprintf("again %05d", i)); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	for _, c := range conns {
		c.Close()
	}
}

// TestManyConnectionsOneAfterTheOther asserts that connections that come and go
// leave nothing: no fd, session, thread or memory.
func TestManyConnectionsOneAfterTheOther(t *testing.T) {
	const n, warmUp = 10_000, 1000
	g := startGateway(t, setup{plain: true})
	for _, w := range ways() {
		echoTCP(t, g.Server, w.dest(0))
	}
	round := func(n int) {
		t.Helper()
		if err := g.crowd(n, func(i int, c *net.TCPConn) error {
			defer c.Close()
			return exchange(c, fmt.Sprintf("%05d", i))
		}); err != nil {
			t.Fatal(err)
		}
		g.assertNothingLeft(t)
	}
	round(warmUp)
	memory, threads := g.Memory(), g.Threads()
	round(n)
	if c := g.counters(t); c.number("conns_accepted") != n+warmUp || c.number("conns_closed") != n+warmUp {
		t.Errorf("%v, want %d connections accepted and closed", c, n+warmUp)
	}
	const growth, moreThreads = 16 << 20, 4
	if now := g.Memory(); now > memory+growth {
		t.Errorf("memory grew from %d to %d bytes", memory, now)
	}
	if now := g.Threads(); now > threads+moreThreads {
		t.Errorf("%d threads, %d before", now, threads)
	}
}

func TestManyUDPClients(t *testing.T) {
	const n = 2000
	g := startUDPGateway(t, setup{plain: true, flags: []string{"--udp-timeout=5s"}})
	for _, w := range udpWays() {
		for i := range 3 {
			startEcho(t, g.Server, w.dest(i))
		}
	}
	clients := make([]*net.UDPConn, n)
	for i := range clients {
		w := udpWays()[i%2]
		from := w.pick(fmt.Sprintf("10.78.%d.%d", i/200, i%200+1), fmt.Sprintf("fd78::%x", i+1))
		clients[i] = listenUDP(t, g.Client, netip.AddrPortFrom(from, 4000))
	}
	const parts = 4
	var all sync.WaitGroup
	errs := make([]error, parts)
	for p := range parts {
		all.Go(func() {
			for i := p; i < n && errs[p] == nil; i += parts {
				errs[p] = askMany(clients[i], udpWays()[i%2])
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if c := g.counters(t); c.number("udp_sessions_now") != n || c.number("udp_sessions_evicted") != 0 {
		t.Errorf("%v, want %d sessions", c, n)
	}
}

// askMany asks three servers at once, and takes their answers in any order.
func askMany(c *net.UDPConn, w way) error {
	question := c.LocalAddr().String()
	for i := range 3 {
		if _, err := c.WriteToUDPAddrPort([]byte(question), w.dest(i)); err != nil {
			return err
		}
	}
	answered := map[netip.AddrPort]bool{}
	for range 3 {
		got, err := next(c, patience)
		if err != nil {
			return fmt.Errorf("%s after %d answers: %w", question, len(answered), err)
		}
		if string(got.data) != question {
			return fmt.Errorf("%s got the answer of %s", question, got.data)
		}
		answered[got.from] = true
	}
	if len(answered) != 3 {
		return fmt.Errorf("%s was answered by %v", question, answered)
	}
	return nil
}

// TestBytesOfRunningConnections asserts that the counters have the bytes of
// connections that still run.
func TestBytesOfRunningConnections(t *testing.T) {
	t.Parallel()
	const up, down = 3 << 20, 1 << 20
	g := startGateway(t, setup{})
	for i, w := range ways() {
		client, server := g.pair(t, w)
		go func() { _, _ = client.Write(make([]byte, up)) }()
		if _, err := io.CopyN(io.Discard, server, up); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = server.Write(make([]byte, down)) }()
		if _, err := io.CopyN(io.Discard, client, down); err != nil {
			t.Fatal(err)
		}
		c := g.counters(t)
		if got := c.number("tcp_bytes_to_upstream"); got != (i+1)*up {
			t.Errorf("%v: %d bytes to the upstream, want %d", w, got, (i+1)*up)
		}
		if got := c.number("tcp_bytes_to_client"); got != (i+1)*down {
			t.Errorf("%v: %d bytes to the client, want %d", w, got, (i+1)*down)
		}
	}
}
