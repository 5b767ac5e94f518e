package torture

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// errnos makes every system call of sluice's paths fail with every error, under
// traffic, and sees what becomes of clients and process. Most of it is waiting, so
// that several sluices, each in a lab of its own, share the calls.
func errnos(ctx context.Context, s *stage) error {
	var parts []func(context.Context, *errnoTally) error
	for part := range errnoParts {
		parts = append(parts, func(ctx context.Context, t *errnoTally) error { return t.phase(ctx, "auto", part) })
	}
	parts = append(parts,
		func(ctx context.Context, t *errnoTally) error { return t.phase(ctx, "splice", 0) },
		func(ctx context.Context, t *errnoTally) error { return t.starts(ctx) })
	tallies := make([]errnoTally, len(parts))
	errs := make([]error, len(parts))
	var running sync.WaitGroup
	for i, part := range parts {
		running.Go(func() { errs[i] = tallies[i].on(ctx, s.o, part) })
	}
	running.Wait()
	var all errnoTally
	for i := range tallies {
		all.add(&tallies[i])
	}
	all.read(s)
	return errors.Join(errs...)
}

// errnoParts is how many sluices share the calls that have nothing to do with splice.
const errnoParts = 3

// errnoTally is what the injections showed; the lists name call and error. One
// goroutine owns it, and the stage.
type errnoTally struct {
	*stage
	injected, delivered, reset, reasoned        int
	hangs, silent, wordless, spins, dead, leaks []string
}

// on does a part of the work on a stage of its own.
func (t *errnoTally) on(ctx context.Context, o Options, part func(context.Context, *errnoTally) error) (err error) {
	if t.stage, err = newStage(o); err != nil {
		return err
	}
	if err = t.serve(servePort); err == nil {
		err = part(ctx, t)
	}
	return errors.Join(err, t.stage.close())
}

func (t *errnoTally) add(o *errnoTally) {
	t.injected += o.injected
	t.delivered += o.delivered
	t.reset += o.reset
	t.reasoned += o.reasoned
	t.hangs = append(t.hangs, o.hangs...)
	t.silent = append(t.silent, o.silent...)
	t.wordless = append(t.wordless, o.wordless...)
	t.spins = append(t.spins, o.spins...)
	t.dead = append(t.dead, o.dead...)
	t.leaks = append(t.leaks, o.leaks...)
}

// read adds the readings to the figure's stage.
func (t *errnoTally) read(s *stage) {
	s.atLeast("errors injected", float64(t.injected), "", 100)
	s.note("delivered", float64(t.delivered), "")
	s.note("reset", float64(t.reset), "")
	s.note("ends of the process with a reason", float64(t.reasoned), "")
	for _, r := range []struct {
		what string
		list []string
	}{
		{"hangs", t.hangs}, {"silent failures", t.silent}, {"ends without a reason", t.wordless},
		{"spins", t.spins}, {"does not serve afterwards", t.dead}, {"fds left", t.leaks},
	} {
		what := r.what
		if len(r.list) > 0 {
			what += " [" + strings.Join(r.list, "; ") + "]"
		}
		s.atMost(what, float64(len(r.list)), "", 0)
	}
}

// notClosed is what a close leaves that strace makes fail: it is not done at all,
// while a real one has closed whatever it says (close(2)). The connection stays as it is.
const notClosed = "close"

// phase goes through a part of the calls with one sluice, which is started again where
// one ended it.
func (t *errnoTally) phase(ctx context.Context, relay string, part int) error {
	flags := []string{"--relay=" + relay, "--connect-timeout=1s", "--udp-timeout=1s", "--udp-query-timeout=1s"}
	p, err := t.start(ctx, flags...)
	if err != nil {
		return err
	}
	list := append(faults(), fault{notClosed, []string{"EIO", "EINTR", "ENOSPC"}}) // last: fds stay open
	for i, f := range list {
		piped := f.call == "splice" || f.call == "pipe2"
		if piped != (relay == "splice") || !piped && i%errnoParts != part {
			continue
		}
		for _, errno := range f.errnos[:min(len(f.errnos), pick(t.stage, 2, len(f.errnos)))] {
			if err := t.one(ctx, p, f.call, errno); err != nil {
				return fmt.Errorf("%s %s: %w", f.call, errno, err)
			}
			if p.ended() {
				if p, err = t.start(ctx, flags...); err != nil {
					return err
				}
			}
		}
		if f.call == notClosed {
			p.kill()
			return nil
		}
		if over, err := p.quiet(ctx, patience, keptFDs); err != nil {
			return err
		} else if over > 0 {
			t.leaks = append(t.leaks, fmt.Sprintf("%s: %d", f.call, over))
		}
	}
	return p.stop(ctx)
}

// one injects one error under traffic.
func (t *errnoTally) one(ctx context.Context, p *sluice, call, errno string) error {
	name := call + " " + errno
	before, err := p.counters(ctx)
	if err != nil {
		return err
	}
	const first, step = 2, 3
	i, err := t.inject(ctx, p.process, call, errno, first, step)
	if err != nil {
		return err
	}
	got := t.traffic(ctx)
	if err := i.end(); err != nil {
		return err
	}
	t.injected += i.injected()
	t.delivered += got.delivered
	t.reset += got.reset
	if got.hung > 0 && call != notClosed {
		t.hangs = append(t.hangs, fmt.Sprintf("%s: %d", name, got.hung))
	}
	if until(ctx, 50*time.Millisecond, p.ended) {
		t.ended(p, name)
		return nil
	}
	after, err := p.counters(ctx)
	if err != nil {
		t.dead = append(t.dead, name+": "+err.Error())
		p.kill()
		return nil
	}
	if got.reset > 0 && told(after) == told(before) {
		t.silent = append(t.silent, name)
	}
	t.looks(ctx, p, name)
	return nil
}

// ended notes that sluice ended: with a status and its reason on the last line, or not.
func (t *errnoTally) ended(p *sluice, name string) {
	if p.exit != nil && p.log.reason() != "" {
		t.reasoned++
		return
	}
	t.wordless = append(t.wordless, fmt.Sprintf("%s: %v, %q", name, p.exit, p.log.last()))
}

// looks sees whether sluice serves and sleeps once nothing fails any more.
func (t *errnoTally) looks(ctx context.Context, p *sluice, name string) {
	for _, v6 := range []bool{false, true} {
		err := t.Client.Do(func() error { return pingTCP(dest(v6, servePort), patience) })
		for range 5 { // a datagram may be lost
			if err == nil {
				if err = t.Client.Do(func() error { return pingUDP(dest(v6, servePort), time.Second) }); err == nil {
					break
				}
			}
		}
		if err != nil {
			t.dead = append(t.dead, name+": "+err.Error())
		}
	}
	const while = 100 * time.Millisecond
	busy := func() bool {
		used := p.cpu()
		pass(ctx, while)
		return p.cpu()-used > while/2
	}
	if busy() && busy() && busy() { // what came before may take a moment
		t.spins = append(t.spins, name)
	}
}

// told sums up the counters that tell of what went wrong.
func told(counters map[string]float64) (sum float64) {
	for name, n := range counters {
		traffic := false
		for _, prefix := range []string{"conns_", "tcp_bytes", "udp_bytes", "udp_sessions_now", "udp_sessions_opened", "udp_sessions_closed", "datagrams_"} {
			traffic = traffic || strings.HasPrefix(name, prefix)
		}
		if !traffic {
			sum += n
		}
	}
	return sum
}

// fate is what became of clients.
type fate struct{ delivered, reset, hung int }

// traffic is a few connections and sessions of each kind, at once: small, with either
// half closed first, and bulk.
func (t *errnoTally) traffic(ctx context.Context) (f fate) {
	var mu sync.Mutex
	var running sync.WaitGroup
	one := func(try func() error) {
		running.Go(func() {
			err := t.Client.Do(try)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				f.delivered++
			case isTimeout(err):
				f.hung++
			default:
				f.reset++
			}
		})
	}
	for i := range 12 {
		one(func() error { return errnoFlow(dest(i%2 == 1, servePort), i) })
	}
	for i := range 4 { // their loss is no one's
		running.Go(func() {
			_ = t.Client.Do(func() error {
				for range 3 {
					_ = pingUDP(dest(i%2 == 1, servePort), 100*time.Millisecond)
				}
				return nil
			})
		})
	}
	running.Wait()
	return f
}

// errnoFlow is a connection of one kind: its echo is compared to the end.
func errnoFlow(to netip.AddrPort, kind int) error {
	conn, err := dialHere(netip.Addr{}, to, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	if kind%6 < 4 {
		if err := exchange(conn, "a small exchange"); err != nil {
			return err
		}
		if kind%2 == 0 {
			return nil
		}
		if err := conn.CloseWrite(); err != nil {
			return err
		}
		return wantEnd(conn, "")
	}
	text := strings.Repeat("bulk ", 200_000)
	sent := make(chan error, 1)
	go func() { sent <- write(conn, text) }()
	if err := wantText(conn, text); err != nil {
		return err
	}
	return <-sent
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// starts makes calls of the start fail: sluice ends with a reason, or serves.
func (t *errnoTally) starts(ctx context.Context) error {
	for _, f := range startFaults() {
		for _, errno := range f.errnos[:pick(t.stage, 1, len(f.errnos))] {
			name := "start: " + f.call + " " + errno
			p, err := t.launch(spec{under: []string{"strace", "-f", "-qq", "--seccomp-bpf", "-o", t.dir + "/strace-start", "-e", "trace=" + f.call,
				"-e", "inject=" + f.call + ":error=" + errno + ":when=2+2"}})
			if err != nil {
				return err
			}
			err = p.ready(ctx)
			i := injection{log: t.dir + "/strace-start"}
			t.injected += i.injected()
			switch {
			case p.ended():
				t.ended(p, name)
			case err != nil:
				t.hangs = append(t.hangs, name)
			}
			p.kill()
			if err := t.sweep(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweep ends what still runs in the gateway (a killed strace leaves its child) and
// what is left of the rules.
func (t *errnoTally) sweep(ctx context.Context) error {
	pids, err := t.Gateway.Processes()
	if err != nil {
		return err
	}
	for _, pid := range pids {
		endProcess(pid)
	}
	return t.settle(ctx)
}
