package torture

import (
	"context"
	"errors"
	"fmt"
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
		parts = append(parts, func(ctx context.Context, t *errnoTally) error { return t.phase(ctx, plain, part) })
	}
	parts = append(parts,
		func(ctx context.Context, t *errnoTally) error { return t.phase(ctx, splicer, 0) },
		func(ctx context.Context, t *errnoTally) error { return t.phase(ctx, ringer, 0) },
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

// errnoParts is how many sluices share the calls that an ordinary one makes.
const errnoParts = 3

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

// notClosed is what a close leaves that strace makes fail: it is not done at all,
// while a real one has closed whatever it says (close(2)). The connection stays as it is.
const notClosed = "close"

// phase goes through a part of the calls with one sluice, which is started again where
// one ended it.
func (t *errnoTally) phase(ctx context.Context, by maker, part int) error {
	flags := append(strings.Fields(string(by)), "--connect-timeout=1s", "--udp-timeout=1s", "--udp-query-timeout=1s")
	p, err := t.start(ctx, flags...)
	if err != nil {
		return err
	}
	list := append(faults(), fault{notClosed, []string{"EIO", "EINTR", "ENOSPC"}}) // last: fds stay open
	for i, f := range list {
		if makerOf(f.call) != by || by == plain && i%errnoParts != part {
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
	i, err := t.inject(ctx, p.Process, call, errno, first, step)
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
	if until(ctx, 50*time.Millisecond, p.ended) {
		t.ended(p, name) // and who comes now waits: closed is closed
		return nil
	}
	if got.hung > 0 && call != notClosed {
		t.hangs = append(t.hangs, fmt.Sprintf("%s: %d", name, got.hung))
	}
	after, err := p.counters(ctx)
	if err != nil && until(ctx, time.Second, p.ended) {
		t.ended(p, name)
		return nil
	}
	if err != nil {
		t.dead = append(t.dead, name+": "+err.Error())
		p.kill()
		return nil
	}
	if got.reset > 0 && !ofPeer(errno) && told(after) == told(before) {
		t.silent = append(t.silent, name)
	}
	t.looks(ctx, p, name)
	return nil
}

// ended notes that sluice ended: with a status and its reason on the last line, or not.
func (t *errnoTally) ended(p *sluice, name string) {
	if p.exit != nil && reason(p.log) != "" {
		t.reasoned++
		return
	}
	t.wordless = append(t.wordless, fmt.Sprintf("%s: %v, %q", name, p.exit, last(p.log)))
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
