package torture

import (
	"context"
	"time"
)

// spoof sends datagrams from many sources, half of them over IPv6.
func spoof(ctx context.Context, s *stage) error {
	n := pick(s, 100_000, 1_000_000)
	const sessions = 4096
	if err := s.serve(servePort); err != nil {
		return err
	}
	p, err := s.start(ctx, "--udp-sessions=4096", "--udp-timeout=2s", "--udp-query-timeout=2s")
	if err != nil {
		return err
	}
	warm := spoofer{to: dest(false, servePort), size: 64}
	if err := warm.send(ctx, s.Client, 2*sessions); err != nil { // the table is full once
		return err
	}
	before := p.rss()
	peak := watch(ctx, 20*time.Millisecond, func() (most [3]float64) {
		return [3]float64{p.rss(), float64(p.FDs())}
	})
	begin := time.Now()
	for _, v6 := range []bool{false, true} {
		f := spoofer{v6: v6, to: dest(v6, servePort), size: 64}
		if err := f.send(ctx, s.Client, n/2); err != nil {
			return err
		}
	}
	took := time.Since(begin)
	c, err := p.counters(ctx)
	if err != nil {
		return err
	}
	most := peak()
	s.note("sources", float64(n), "")
	s.note("sources a second", float64(n)/took.Seconds(), "")
	s.atMost("memory grown", most[0]-before, " MB", 15)
	s.atMost("sessions at once", c["udp_sessions_now"], "", sessions)
	s.atMost("fds above the limit", max(0, most[1]-float64(p.FDLimit())), "", 0)
	over, err := p.quiet(ctx, 10*time.Second, keptFDs)
	if err != nil {
		return err
	}
	s.atMost("fds left", float64(over), "", 0)
	return p.stop(ctx)
}

// watch looks every so often, until the returned function is called, which gives the
// greatest of each value.
func watch(ctx context.Context, every time.Duration, look func() [3]float64) func() [3]float64 {
	ctx, cancel := context.WithCancel(ctx)
	result := make(chan [3]float64)
	go func() {
		var most [3]float64
		for {
			for i, v := range look() {
				most[i] = max(most[i], v)
			}
			if ctx.Err() != nil {
				break
			}
			pass(ctx, every)
		}
		result <- most
	}()
	return func() [3]float64 { cancel(); return <-result }
}
