package torture

import (
	"context"
	"net/netip"
	"sync"
	"time"
)

// keptFDs is what sluice may keep after it has worked: write-back sockets, a pipe for
// each reactor, idle descriptors of Go's runtime.
const keptFDs = 16

// aborts resets connections as soon as they are open, half of them after a request.
func aborts(ctx context.Context, s *stage) error {
	n := pick(s, 4000, 50_004)
	if err := s.serve(servePort); err != nil {
		return err
	}
	p, err := s.start(ctx)
	if err != nil {
		return err
	}
	const at = 8
	var running sync.WaitGroup
	for first := range at {
		running.Go(func() {
			_ = s.Client.Do(func() error {
				for i := first; i < n && ctx.Err() == nil; i += at {
					conn, err := dialHere(netip.Addr{}, dest(i%4 > 1, servePort), patience)
					if err != nil {
						continue // refused is as good
					}
					if i%2 == 0 {
						_ = write(conn, "a request that nobody waits for")
					}
					abort(conn)
				}
				return nil
			})
		})
	}
	running.Wait()
	over, err := p.quiet(ctx, 20*time.Second, keptFDs)
	if err != nil {
		return err
	}
	c, err := p.counters(ctx)
	if err != nil {
		return err
	}
	s.note("aborted", float64(n), "")
	s.atMost("fds left", float64(over), "", 0)
	s.atMost("connections left", c["conns_now"], "", 0)
	s.atMost("accepted and not closed", c["conns_accepted"]-c["conns_closed"], "", 0)
	var failed pings
	stop := failed.keep(ctx, s.Client, 1, 0, func() error { return pingTCP(dest(false, servePort), patience) })
	until(ctx, patience, func() bool { return failed.ok.Load()+failed.failed.Load() > 0 })
	stop()
	s.atMost("new connections that fail after", float64(failed.failed.Load()), "", 0)
	return p.stop(ctx)
}
