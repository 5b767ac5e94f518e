package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"sluice/cmd/sluice/service"
	"sluice/redir"
	"sluice/redir/config"
	"sluice/redir/rules"
)

// process is a running `sluice run`. Its goroutine is the program's first.
type process struct {
	cmd       *runCmd
	config    config.Config // of cmd
	log       zerolog.Logger
	signals   signals
	notify    *service.Notifier
	server    *redir.Server // nil: not started
	guard     *guard        // of the rules; nil: they are another's task
	idleRules []string      // flags of rules that nobody installs
}

// start opens everything; after an error, close closes what was opened.
func (p *process) start() (err error) {
	var account service.Account
	if p.cmd.User != "" {
		if account, err = service.FindAccount(p.cmd.User); err != nil {
			return err
		}
	}
	p.signals = listenForSignals()
	if p.notify, err = service.NewNotifier(); err != nil {
		return err
	}
	if p.cmd.InstallRules {
		if p.guard, err = newGuard(); err != nil {
			return err
		}
	}
	if p.server, err = redir.New(p.cmd.options(p.log)); err != nil {
		return err
	}
	if p.cmd.User != "" {
		if err := account.Become(); err != nil {
			return err
		}
	}
	p.cmd.logIngress(p.log)
	if err := settle(); err != nil {
		p.log.Debug().Err(err).Msg("the memory of starting up is kept")
	}
	holds, err := p.cmd.confine(p.cmd.needs(), p.log)
	if err != nil {
		return err
	}
	p.server.Start()
	kept, err := p.divert()
	if err != nil {
		return err
	}
	p.logReady(holds, kept)
	p.logIdleRules(p.idleRules)
	p.notify.Ready(p.status())
	return nil
}

// divert has the keeper install the rules, and returns how it is confined.
func (p *process) divert() (holds []string, err error) {
	if p.guard == nil {
		return nil, nil
	}
	if holds, err = p.guard.ready(); err != nil {
		return nil, err
	}
	return holds, p.guard.redivert(p.cmd)
}

// run serves until it is told to stop, and then drains. An error says that
// sluice can serve no longer.
func (p *process) run() error {
	stop, err := p.serve()
	if err != nil {
		return err
	}
	p.log.Info().Stringer("signal", stop).Msg("draining")
	p.notify.Stopping("draining")
	if p.guard != nil {
		if err := p.guard.open(); err != nil {
			p.log.Error().Err(err).Msg("while connections drain, new ones are refused")
		}
	}
	p.drain()
	return nil
}

// close ends what is left. The rules go last: while connections drain, they
// need them.
func (p *process) close() error {
	if p.notify != nil {
		defer p.notify.Close()
	}
	var err error
	if p.server != nil {
		err = p.server.Close()
	}
	if p.guard != nil {
		err = errors.Join(err, p.guard.remove())
	}
	return err
}

// serve returns the first signal that ends the program, or what keeps it from
// going on. A reload runs beside it, so that no signal waits for one.
func (p *process) serve() (os.Signal, error) {
	var look <-chan time.Time
	if p.notify.Watchdog > 0 {
		ticker := time.NewTicker(p.notify.Watchdog / 3)
		defer ticker.Stop()
		look = ticker.C
	}
	compare := time.NewTicker(starvingPeriod)
	defer compare.Stop()
	var keeperGone chan struct{} // never, without a keeper
	if p.guard != nil {
		keeperGone = p.guard.gone
	}
	p.tellArrivals()
	var reloads reloads
	for {
		select {
		case s := <-p.signals.stop:
			reloads.wait()
			return s, nil
		case err := <-p.server.Failed():
			reloads.wait()
			return nil, &failedError{err}
		case <-keeperGone:
			reloads.wait()
			return nil, &failedError{errKeeperGone}
		case <-p.signals.counters:
			p.logStats("counters")
		case <-p.signals.reload:
			reloads.ask(p.reload)
		case <-reloads.running:
			reloads.ended(p.reload)
		case <-look:
			p.answerWatchdog()
		case <-compare.C:
			if reloads.running == nil { // a reload may be changing the rules
				p.tellArrivals()
			}
		}
	}
}

// failedError says that a reactor has ended, and what it carried hangs, or the
// keeper, and nobody watches the rules: the program ends at once.
type failedError struct{ err error }

func (e *failedError) Error() string { return "ends at once, since it cannot go on: " + e.err.Error() }

// abandon ends the program after a failedError, without a word to anybody who
// is connected. Rules that fail closed stay, as they would after a kill -9: the
// next start takes them over.
func (p *process) abandon() error {
	if p.guard == nil {
		return nil
	}
	if p.cmd.Rules.Fail == string(rules.Closed) {
		p.guard.leave()
		return nil
	}
	if err := p.guard.remove(); !errors.Is(err, errKeeperGone) { // which is why, if it is
		return err
	}
	return nil
}

// tellArrivals lets the keeper compare what arrived with what the rules divert.
func (p *process) tellArrivals() {
	if p.guard != nil {
		p.guard.tell(arrivals(p.server.Counted()))
	}
}

// answerWatchdog is silent when a reactor is stuck, so that the service
// manager starts sluice anew.
func (p *process) answerWatchdog() {
	within := max(p.notify.Watchdog/2, 3*time.Second) // reactors turn once a second
	if !p.server.Alive(within) {
		p.log.Error().Dur("within", within).Msg("a reactor is stuck; the watchdog gets no answer")
		return
	}
	p.notify.Alive()
}

// drain lets running connections finish, until the time is over or another
// signal to stop comes.
func (p *process) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), p.cmd.DrainTimeout)
	defer cancel()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.signals.counters:
				p.logStats("counters")
			case <-p.signals.stop:
				cancel()
				return
			}
		}
	}()
	p.server.Drain(ctx)
}

// runOf is the run command that was parsed.
func runOf(ctx *kong.Context) *runCmd {
	return ctx.Selected().Target.Addr().Interface().(*runCmd)
}
