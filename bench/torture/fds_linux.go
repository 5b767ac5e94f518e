package torture

import (
	"context"
	"fmt"
	"time"
)

// fds floods sluice with new UDP clients while its reactors share one CPU, under a
// low limit of open files, with TCP beside it.
func fds(ctx context.Context, s *stage) error {
	const limit = 3000
	if err := s.serve(servePort); err != nil {
		return err
	}
	p, err := s.startAs(ctx, spec{under: append(onCPU(firstCPU), "prlimit", fmt.Sprintf("--nofile=%d:%[1]d", limit)),
		flags: []string{"--reactors=2", "--udp-timeout=2s", "--udp-query-timeout=2s"}})
	if err != nil {
		return err
	}
	length := pick(s, 4*time.Second, 30*time.Second)
	const rate = 60_000
	var tcp pings
	stop := tcp.keep(ctx, s.Client, 4, 20*time.Millisecond, func() error { return pingTCP(dest(false, servePort), normalWait) })
	peak := watch(ctx, time.Millisecond, func() [3]float64 { return [3]float64{float64(p.FDs())} })
	flood := spoofer{to: dest(false, servePort), size: 64, rate: rate}
	err = flood.send(ctx, s.Client, int(length.Seconds()*rate))
	most := peak()
	stop()
	if err != nil {
		return err
	}
	c, err := p.counters(ctx)
	if err != nil {
		return err
	}
	s.note("new clients a second", rate, "")
	s.atMost("fds at most", most[0], "", limit-1) // at the limit itself, calls fail
	s.note("turned away for want of resources", c["no_resource"], "")
	s.atMost("accepting paused", c["accept_paused"], "", 0)
	s.atMost("TCP beside it that failed", float64(tcp.failed.Load()), "", 0)
	s.atLeast("TCP beside it that was served", float64(tcp.ok.Load()), "", 1)
	over, err := p.quiet(ctx, 10*time.Second, keptFDs)
	if err != nil {
		return err
	}
	s.atMost("fds left", float64(over), "", 0)
	return p.stop(ctx)
}
