package torture

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// closedAlways takes the rules away from under load, and counts the packets that pass
// the proxy; then it counts the REDIRECT connections that survive a flush.
func closedAlways(ctx context.Context, s *stage) error {
	if err := s.serve(servePort); err != nil {
		return err
	}
	if err := s.countPast(ctx); err != nil {
		return err
	}
	p, err := s.start(ctx, "--fail=closed")
	if err != nil {
		return err
	}
	var load pings
	for _, v6 := range []bool{false, true} {
		defer load.keep(ctx, s.Client, 2, 0, func() error { return pingTCP(dest(v6, servePort), time.Second) })()
		defer load.keep(ctx, s.Client, 1, 0, func() error { return pingUDP(dest(v6, servePort), 300*time.Millisecond) })()
	}
	if !until(ctx, patience, func() bool { return load.ok.Load() > 100 }) {
		return fmt.Errorf("no traffic: %v", load.first.Load())
	}
	for _, b := range []struct {
		name string
		do   func() error
	}{
		{"flush ruleset", func() error { return s.gatewayRun(ctx, "nft flush ruleset") }},
		{"delete table", func() error { return s.deleteTables(ctx) }},
		{"ip rule flush", func() error { return s.flushRules(ctx) }},
		{"reload", func() error { p.signal(syscall.SIGHUP); return nil }},
		{"kill -9", func() error { p.kill(); return nil }},
		{"start after it", func() (err error) { p, err = s.start(ctx, "--fail=closed"); return err }},
	} {
		times := pick(s, 3, 20)
		if b.name == "kill -9" || b.name == "start after it" {
			times = 1
		}
		for range times {
			if err := s.passing(ctx, b.name, b.do, pick(s, 300*time.Millisecond, time.Second)); err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
		}
	}
	s.readings = worst(s.readings)
	if !until(ctx, patience, func() bool { before := load.ok.Load(); pass(ctx, 200*time.Millisecond); return load.ok.Load() > before }) {
		return fmt.Errorf("no traffic afterwards: %v", load.first.Load())
	}
	if err := p.stop(ctx); err != nil {
		return err
	}
	return s.flushRedirected(ctx)
}

// passing does something and counts the packets that pass within a while.
func (s *stage) passing(ctx context.Context, name string, do func() error, while time.Duration) error {
	before, err := s.past(ctx)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	pass(ctx, while)
	after, err := s.past(ctx)
	for end := time.Now().Add(time.Second); err == nil && time.Now().Before(end); { // until what passes is over
		pass(ctx, while/2)
		last := after
		if after, err = s.past(ctx); after == last {
			break
		}
	}
	s.atMost(name+": packets past", after-before, "", 0)
	return err
}

// deleteTables deletes each table of the gateway by name, as a careful script does.
// A table that has an owner refuses, which is as it should be.
func (s *stage) deleteTables(ctx context.Context) error {
	for _, table := range s.tables(ctx) {
		_ = s.gatewayRun(ctx, "nft delete table "+table)
	}
	return nil
}

// flushRules flushes the policy rules and adds the kernel's own again.
func (s *stage) flushRules(ctx context.Context) error {
	for _, family := range []string{"-4", "-6"} {
		for _, line := range []string{"flush", "add pref 32766 lookup main"} {
			if err := s.gatewayRun(ctx, "ip "+family+" rule "+line); err != nil {
				return err
			}
		}
	}
	return nil
}

// flushRedirected flushes the ruleset under connections that came by REDIRECT, as
// often as it takes for each to have met one, and asks again on each.
func (s *stage) flushRedirected(ctx context.Context) error {
	const n = 50
	p, err := s.startAs(ctx, way(true))
	if err != nil {
		return err
	}
	var conns []*net.TCPConn
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	for i := range n {
		conn, err := dial(s.Client, netip.Addr{}, dest(i%2 == 1, servePort), patience)
		if err != nil {
			return err
		}
		conns = append(conns, conn)
		if err := exchange(conn, "before"); err != nil {
			return err
		}
	}
	talking := talk(conns, pick(s, time.Second, 5*time.Second))
	for range pick(s, 2, 10) {
		if err := s.gatewayRun(ctx, "nft flush ruleset"); err != nil {
			return err
		}
		pass(ctx, pick(s, 300*time.Millisecond, 500*time.Millisecond))
	}
	s.atLeast("REDIRECT connections that survive flushes", float64(talking()), "", n)
	return p.stop(ctx)
}

// talk exchanges on every connection without a pause for a while; the returned function
// waits and says how many still do.
func talk(conns []*net.TCPConn, while time.Duration) func() int {
	results := make(chan bool, len(conns))
	end := time.Now().Add(while)
	for _, conn := range conns {
		_ = conn.SetDeadline(end.Add(patience))
		go func() {
			for time.Now().Before(end) {
				if exchange(conn, "again") != nil {
					results <- false
					return
				}
			}
			results <- true
		}()
	}
	return func() (alive int) {
		for range conns {
			if <-results {
				alive++
			}
		}
		return alive
	}
}
