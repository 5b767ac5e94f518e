package torture

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// signals takes sluice's log away under traffic, sends signals in storms, and makes a
// reactor fail.
func signals(ctx context.Context, s *stage) error {
	if err := s.serve(servePort); err != nil {
		return err
	}
	for _, try := range []func(context.Context, *stage) error{brokenLogs, storms, reactorFails} {
		if err := try(ctx, s); err != nil {
			return err
		}
	}
	s.readings = worst(s.readings)
	return nil
}

// brokenLogs tries a pipe whose reader goes away, a full disk, and no standard error.
func brokenLogs(ctx context.Context, s *stage) error {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer full.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close()
	for _, log := range []struct {
		name string
		how  spec
		then func()
	}{
		{"the log's reader goes away", spec{stderr: writer}, func() { reader.Close() }},
		{"the disk is full", spec{stderr: full}, func() {}},
		{"no standard error", spec{under: []string{"sh", "-c", `exec "$@" 2>&-`, "sh"}}, func() {}},
	} {
		p, err := s.launch(log.how)
		if err != nil {
			return err
		}
		_ = writer.Close() // the child has its own
		if !until(ctx, readyWait, func() bool { return p.ended() || s.served() && len(s.tables(ctx)) > 0 }) || p.ended() {
			s.atMost(log.name+": does not start", 1, "", 0)
			continue
		}
		log.then()
		unserved := 0
		for range 20 { // each is a line in the log: nobody listens there
			_ = s.Client.Do(func() error { return pingTCP(dest(false, otherPort), time.Second) })
			p.signal(syscall.SIGUSR1)
			if !s.served() {
				unserved++
			}
		}
		s.atMost(log.name+": unserved", float64(unserved), "", 0)
		p.signal(syscall.SIGPIPE)
		s.atMost(log.name+": ended", truth(until(ctx, 200*time.Millisecond, p.ended)), "", 0)
		_ = p.stop(ctx) // said above
		if err := s.settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

// served tells whether a connection in each family is served.
func (s *stage) served() bool {
	return s.Client.Do(func() error {
		if err := pingTCP(dest(false, servePort), time.Second); err != nil {
			return err
		}
		return pingTCP(dest(true, servePort), time.Second)
	}) == nil
}

// storms sends reloads in numbers, and asks to end amid them.
func storms(ctx context.Context, s *stage) error {
	config, err := s.writeFile("storm.json", fmt.Sprintf(`{"inbounds": [{"type": "tproxy", "listen": "::", "listen_port": %d}],
 "install_rules": true, "rules": {"iface": ["lan"]}}`, tproxyPort))
	if err != nil {
		return err
	}
	for _, storm := range []struct {
		hups int
		gap  time.Duration
	}{{1, 0}, {9, 2 * time.Millisecond}, {20, 2 * time.Millisecond}, {20, 10 * time.Millisecond}, {1000, 0}} {
		for range pick(s, 1, 10) {
			p, err := s.startAs(ctx, spec{bare: true, flags: []string{"--config=" + config, "--log-format=json"}})
			if err != nil {
				return err
			}
			for range storm.hups {
				p.signal(syscall.SIGHUP)
				if storm.gap > 0 {
					pass(ctx, storm.gap)
				}
			}
			p.signal(syscall.SIGTERM)
			lost := !until(ctx, patience, p.ended)
			s.atMost(fmt.Sprintf("SIGTERM lost after %d SIGHUPs", storm.hups), truth(lost), "", 0)
			s.atMost("ended amid reloads with an error", truth(!lost && p.exit != nil), "", 0)
			s.atMost("tables left", float64(len(s.tables(ctx))), "", 0)
			if lost {
				p.kill()
				if err := s.settle(ctx); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// reactorFails makes one wait of a reactor fail for good.
func reactorFails(ctx context.Context, s *stage) error {
	p, err := s.start(ctx)
	if err != nil {
		return err
	}
	i, err := s.inject(ctx, p.Process, "epoll_pwait,epoll_pwait2", "ENOMEM", 1, 1)
	if err != nil {
		return err
	}
	begin := time.Now()
	ended := until(ctx, patience, func() bool { s.served(); return p.ended() })
	took := time.Since(begin)
	if err := i.end(); err != nil {
		return err
	}
	s.atMost("a failed reactor goes on", truth(!ended), "", 0)
	s.note("a failed reactor ends it within", took.Seconds(), " s")
	s.atMost("a failed reactor has no reason or status", truth(ended && (p.exit == nil || reason(p.log) == "")), "", 0)
	p.kill()
	return s.settle(ctx)
}

// truth is 1 for what is true.
func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
