//go:build linux

package e2e

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestFirewallReload flushes all tables and takes the routing away, again and
// again, while clients open connections and send datagrams of both families: with
// --fail closed the server sees none of them but through sluice.
func TestFirewallReload(t *testing.T) {
	t.Parallel()
	nft, ip := needProgram(t, "nft", "nftables"), needProgram(t, "ip", "iproute2")
	g := startGateway(t, setup{
		listen: []string{"--tproxy=:12345"}, divert: divertNothing,
		flags: []string{"--install-rules", "--iface=lan", "--fail=closed", "--udp-timeout=1s"},
	})
	g.shared = writeBackFDs
	var stopped atomic.Bool
	var running sync.WaitGroup
	var proxied, direct atomic.Int64
	note := func(from netip.AddrPort, w way) {
		if from.Addr().Unmap() == w.seen() {
			proxied.Add(1)
		} else {
			direct.Add(1)
		}
	}
	for _, w := range udpWays() {
		g.loadUntil(t, w, &stopped, &running, note)
	}
	through := func(what string) {
		had := proxied.Load()
		until(t, "traffic through sluice after "+what, func() bool { return proxied.Load() > had+20 })
	}
	through("the start")
	for range 10 {
		for _, command := range [][]string{
			{nft, "flush", "ruleset"},
			{ip, "rule", "del", "priority", "90"},
			{ip, "-6", "route", "flush", "table", "100"},
			{nft, "flush", "ruleset"},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			// the rule may not be back yet
			_ = g.Gateway.Run(ctx, command[0], command[1:]...)
			cancel()
		}
	}
	through("the reloads")
	stopped.Store(true)
	running.Wait()
	if n := direct.Load(); n > 0 {
		t.Errorf("%d of %d went past sluice", n, n+proxied.Load())
	}
}

// loadUntil has a client open a connection and send a datagram over and over,
// and notes whom the server had each from.
func (g *gateway) loadUntil(t *testing.T, w way, stopped *atomic.Bool, running *sync.WaitGroup, note func(netip.AddrPort, way)) {
	t.Helper()
	const shortly = 300 * time.Millisecond // to wait for an answer that was dropped
	echo := startEcho(t, g.Server, w.dest(0))
	ln := listenTCP(t, g.Server, w.dest(0))
	running.Add(1)
	go func() {
		defer running.Done()
		for {
			conn, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			note(conn.RemoteAddr().(*net.TCPAddr).AddrPort(), w)
			conn.Close()
		}
	}()
	running.Add(1)
	go func() {
		defer running.Done()
		defer ln.Close()
		for !stopped.Load() {
			_ = g.Client.Do(func() error {
				d := net.Dialer{Timeout: shortly}
				if conn, err := d.Dial("tcp", w.dest(0).String()); err == nil {
					_ = conn.SetDeadline(time.Now().Add(shortly))
					_, _ = conn.Read(make([]byte, 1))
					conn.Close()
				}
				conn, err := net.Dial("udp", w.dest(0).String())
				if err != nil {
					return err
				}
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(shortly))
				if _, err := conn.Write([]byte("x")); err == nil {
					_, _ = conn.Read(make([]byte, 1))
				}
				return nil
			})
		}
		echo.mu.Lock()
		defer echo.mu.Unlock()
		for _, from := range echo.seen {
			note(from, w)
		}
	}()
}
