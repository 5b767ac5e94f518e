//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fewReactors are the flags for a scarce fd limit: what each reactor keeps for
// itself would use it up on a machine of many CPUs.
func fewReactors() []string { return []string{"--reactors=2"} }

// TestMoreConnectionsThanFDs asserts that connections beyond what the fd limit
// carries wait in the kernel's queue, and are served once others have ended, but
// for those that waited for too long, which are refused.
func TestMoreConnectionsThanFDs(t *testing.T) {
	t.Parallel()
	const limit, n = 400, 200
	for name, flags := range map[string][]string{
		"at the start":  {fmt.Sprintf("--nofile=%d:%[1]d", limit)},
		"while running": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup{flags: append(fewReactors(), "--client-dials=off")} // a busy machine answers late, and all are one client's
			if flags != nil {
				s.under = append([]string{needProgram(t, "prlimit", "util-linux")}, flags...)
			}
			g := startGateway(t, s)
			if flags == nil { // below what sluice has planned with: accept(2) itself fails
				lim := unix.Rlimit{Cur: uint64(g.base + 60), Max: uint64(g.base + 60)}
				if err := unix.Prlimit(int(g.Process), unix.RLIMIT_NOFILE, &lim, nil); err != nil {
					t.Fatal(err)
				}
			}
			for _, w := range ways() {
				echoTCP(t, g.Server, w.dest(0))
			}
			crowdBeyondLimit(t, g, n)
		})
	}
}

// crowdBeyondLimit opens n connections, of which sluice can carry a part.
func crowdBeyondLimit(t *testing.T, g *gateway, n int) {
	conns := make([]*net.TCPConn, n)
	if err := g.crowd(n, func(i int, c *net.TCPConn) error { conns[i] = c; return nil }); err != nil {
		t.Fatal(err)
	}
	answers := make([]chan error, n)
	for i, c := range conns {
		answers[i] = make(chan error, 1)
		go func() { answers[i] <- exchange(c, fmt.Sprintf("%05d", i)) }()
	}
	served, refused := map[int]bool{}, 0
	look := func() int {
		for i, answer := range answers {
			select {
			case err := <-answer:
				switch {
				case err == nil:
					served[i] = true
				case errors.Is(err, unix.ECONNRESET):
					refused++
				default:
					t.Errorf("connection %d: %v", i, err)
				}
			default:
			}
		}
		return len(served)
	}
	last, since := 0, time.Now()
	until(t, "sluice serves as many as it can", func() bool {
		if now := look(); now != last {
			last, since = now, time.Now()
		}
		return last > 0 && time.Since(since) > time.Second
	})
	if last == n {
		t.Fatalf("all %d connections fit the fd limit", n)
	}
	g.assertIdle(t)
	for i := range served {
		if err := exchange(conns[i], "still there"); err != nil {
			t.Errorf("running connection %d: %v", i, err)
		}
		conns[i].Close()
		if n := len(served); n < 5 { // lets the others in a few at a time too
			break
		}
	}
	until(t, "the others are served or refused", func() bool {
		look()
		for i := range served {
			conns[i].Close()
		}
		return len(served)+refused == n
	})
	c := g.counters(t)
	if c.number("accept_paused")+c.number("refused_max_conns") == 0 {
		t.Errorf("accepting never paused: %v", c)
	}
	if c.number("refused_scarce") != refused {
		t.Errorf("%d were refused: %v", refused, c)
	}
	if err := exchange(dialTCP(t, g.Client, ways()[0].dest(0)), "afterwards"); err != nil {
		t.Error(err)
	}
}

// TestMoreSessionsThanFDs asserts that UDP sessions beyond the fd limit take the
// place of others, and that sluice goes on.
func TestMoreSessionsThanFDs(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{flags: fewReactors()})
	lim := unix.Rlimit{Cur: uint64(g.base + 40), Max: uint64(g.base + 40)}
	if err := unix.Prlimit(int(g.Process), unix.RLIMIT_NOFILE, &lim, nil); err != nil {
		t.Fatal(err)
	}
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e := startEcho(t, g.Server, w.dest(0))
		for i := range 200 {
			client := listenUDP(t, g.Client, netip.AddrPortFrom(w.client(), 0))
			until(t, "a new client is answered", func() bool { // the datagram that found no fd may be lost
				_, _ = client.WriteToUDPAddrPort(payload(i), e.at)
				_, err := next(client, 100*time.Millisecond)
				return err == nil
			})
		}
	})
	g.assertIdle(t)
}

// TestMoreSessionsThanPorts asserts that UDP sessions beyond the ports that the
// gateway has take the place of others.
func TestMoreSessionsThanPorts(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{flags: []string{"--udp-timeout=1h"}})
	if err := g.Gateway.Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40049"), 0)
	}); err != nil {
		t.Fatal(err)
	}
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e := startEcho(t, g.Server, w.dest(0))
		for i := range 100 {
			client := listenUDP(t, g.Client, netip.AddrPortFrom(w.client(), 0))
			until(t, "a new client is answered", func() bool { // the datagram that found no port is lost
				_, _ = client.WriteToUDPAddrPort(payload(i), e.at)
				_, err := next(client, 100*time.Millisecond)
				return err == nil
			})
		}
	})
	g.assertIdle(t)
	g.signal(t, syscall.SIGTERM) // sessions of an hour are left
	until(t, "sluice exits", g.ended)
}

// TestListenerEnded asserts that a listener which the operator ended (ss -K) is
// told of, and does not make sluice spin.
func TestListenerEnded(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	ss := needProgram(t, "ss", "iproute2")
	cmd := g.Gateway.Command(t.Context(), ss, "-K", "-l", "-t", "sport", "=", fmt.Sprintf(":%d", redirectPort))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	until(t, "sluice tells of it", func() bool { return len(g.log.since(0, message("accepting paused"))) > 0 })
	pass(3 * time.Second) // the pauses grow
	g.assertIdle(t)
}

// TestSpliceWithoutPipes asserts that bulk is copied when no fd is left for a
// pipe.
func TestSpliceWithoutPipes(t *testing.T) {
	t.Parallel()
	const n = 20 << 20
	want := digestOf(4, n)
	g := startGateway(t, setup{flags: []string{"--relay=splice"}})
	lim := unix.Rlimit{Cur: uint64(g.base + 2*len(ways())*2), Max: uint64(g.base + 2*len(ways())*2)}
	var pairs [][2]*net.TCPConn
	for _, w := range ways() {
		for range 2 {
			client, server := g.pair(t, w)
			pairs = append(pairs, [2]*net.TCPConn{client, server})
		}
	}
	if err := unix.Prlimit(int(g.Process), unix.RLIMIT_NOFILE, &lim, nil); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	errs := make([]error, len(pairs))
	for i, p := range pairs {
		all.Go(func() { errs[i] = transfer(p[i%2], p[1-i%2], 4, n, want) })
	}
	all.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
	}
}
