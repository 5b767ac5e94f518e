package torture

import (
	"context"
	"fmt"
	"sluice/redir/sockets"
	"strings"
	"time"
)

// kill ends sluice with SIGKILL under load, looks at what it left, and starts the next.
func kill(ctx context.Context, s *stage) error {
	if err := s.serve(servePort); err != nil {
		return err
	}
	if err := s.countPast(ctx); err != nil {
		return err
	}
	for _, fail := range []string{"closed", "open"} {
		for range pick(s, 1, 10) {
			if err := s.killOnce(ctx, fail); err != nil {
				return fmt.Errorf("--fail=%s: %w", fail, err)
			}
		}
	}
	s.readings = worst(s.readings)
	return nil
}

func (s *stage) killOnce(ctx context.Context, fail string) error {
	p, err := s.start(ctx, "--fail="+fail)
	if err != nil {
		return err
	}
	var load pings
	stop := load.keep(ctx, s.Client, 4, 0, func() error { return pingTCP(dest(false, servePort), time.Second) })
	datagrams := load.keep(ctx, s.Client, 1, 0, func() error { return pingUDP(dest(true, servePort), time.Second) })
	if !until(ctx, patience, func() bool { return load.ok.Load() > 100 }) {
		return fmt.Errorf("no traffic before the kill: %v", load.first.Load())
	}
	before, err := s.past(ctx)
	if err != nil {
		return err
	}
	p.kill()
	var sockets []string
	until(ctx, 2*time.Second, func() bool { sockets = s.ownSockets(); return len(sockets) == 0 })
	s.atMost("sockets left", float64(len(sockets)), "", 0)
	stop()
	datagrams()
	after, err := s.past(ctx)
	if err != nil {
		return err
	}
	err = s.Client.Do(func() error { return pingTCP(dest(false, servePort), time.Second) })
	served := 0.0
	if err == nil {
		served = 1
	}
	if fail == "open" {
		s.atLeast("open: forwarded while it is down", served, "", 1)
	} else {
		s.atMost("closed: packets past", after-before, "", 0)
		s.atMost("closed: served while it is down", served, "", 0)
	}
	begin := time.Now()
	next, err := s.start(ctx, "--fail="+fail)
	if err != nil {
		return err
	}
	if err := s.Client.Do(func() error { return pingTCP(dest(false, servePort), patience) }); err != nil {
		return fmt.Errorf("after the next start: %w", err)
	}
	s.about(Most, "next start to first service", time.Since(begin).Seconds(), " s", 3, 1)
	return next.stop(ctx)
}

// ownSockets are the gateway's sockets that listen, are bound, or are established; the
// kernel's own leftovers (TIME_WAIT, FIN_WAIT) are none.
func (s *stage) ownSockets() []string {
	var found []string
	_ = s.Gateway.Do(func() error {
		for e := range sockets.Here("tcp", "tcp6", "udp", "udp6", "raw", "raw6") {
			if e.State == sockets.Listening || e.State == sockets.Established || !strings.HasPrefix(e.Table, "tcp") {
				found = append(found, fmt.Sprintf("%s %v %v", e.Table, e.Local, e.Remote))
			}
		}
		return nil
	})
	return found
}

// worst keeps, of readings of one thing, the one furthest from its target.
func worst(all []Reading) []Reading {
	var kept []Reading
	at := map[string]int{}
	for _, r := range all {
		i, seen := at[r.What+r.Unit]
		switch {
		case !seen:
			at[r.What+r.Unit] = len(kept)
			kept = append(kept, r)
		case r.Bound == Least && r.Value < kept[i].Value, r.Bound != Least && r.Value > kept[i].Value:
			kept[i] = r
		}
	}
	return kept
}

// gatewayRun runs a program in the gateway to its end.
func (s *stage) gatewayRun(ctx context.Context, line string) error {
	f := strings.Fields(line)
	return s.Gateway.Run(ctx, f[0], f[1:]...)
}
