package torture

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// restart starts a second sluice beside the first under load, and ends the first; then
// it ends one that has no successor.
func restart(ctx context.Context, s *stage) error {
	if err := s.serve(servePort); err != nil {
		return err
	}
	if err := s.countPast(ctx); err != nil {
		return err
	}
	p, err := s.start(ctx)
	if err != nil {
		return err
	}
	var tcp, udp pings
	for _, v6 := range []bool{false, true} {
		defer tcp.keep(ctx, s.Client, 3, 5*time.Millisecond, func() error { return pingTCP(dest(v6, servePort), patience) })()
		defer udp.keep(ctx, s.Client, 1, 5*time.Millisecond, func() error { return pingUDP(dest(v6, servePort), patience) })()
	}
	long, err := dial(s.Client, netip.Addr{}, dest(false, servePort), patience)
	if err != nil {
		return err
	}
	defer long.Close()
	if !until(ctx, patience, func() bool { return tcp.ok.Load() > 100 }) {
		return fmt.Errorf("no traffic: %v", tcp.first.Load())
	}
	times := pick(s, 3, 20)
	for i := range times {
		next, err := s.start(ctx)
		if err != nil {
			s.atLeast("starts that took over", float64(i), "", float64(times))
			return s.unserved(ctx, &tcp, &udp)
		}
		p.signal(syscall.SIGTERM)
		if !until(ctx, stopWait, p.ended) {
			return errors.New("the first does not end")
		}
		p = next
		pass(ctx, 300*time.Millisecond)
	}
	s.atLeast("starts that took over", float64(times), "", float64(times))
	if err := s.unserved(ctx, &tcp, &udp); err != nil {
		return err
	}
	return s.stopAlone(ctx, p)
}

// unserved adds what went wrong so far.
func (s *stage) unserved(ctx context.Context, tcp, udp *pings) error {
	past, err := s.past(ctx)
	s.note("connections", float64(tcp.ok.Load()), "")
	s.atMost("connections that failed", float64(tcp.failed.Load()), "", 0)
	s.atMost("datagrams without an answer", float64(udp.failed.Load()), "", 0)
	s.atMost("packets past", past, "", 0)
	return err
}

// stopAlone ends a sluice with a connection that goes on, and sees how long new ones
// are left without an answer.
func (s *stage) stopAlone(ctx context.Context, p *sluice) error {
	long, err := dial(s.Client, netip.Addr{}, dest(false, servePort), patience)
	if err != nil {
		return err
	}
	defer long.Close()
	if err := exchange(long, "running"); err != nil {
		return err
	}
	p.signal(syscall.SIGTERM)
	if !until(ctx, patience, func() bool { return len(p.log.Entries(0, "draining")) > 0 }) {
		return errors.New("no draining at SIGTERM")
	}
	begin := time.Now()
	err = s.Client.Do(func() error { return pingTCP(dest(false, servePort), patience) })
	s.atMost("a new connection while it stops waits", time.Since(begin).Seconds(), " s", 1)
	if err != nil && !errors.Is(err, unix.ECONNREFUSED) && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("a new connection while it stops: %w", err)
	}
	return nil
}
