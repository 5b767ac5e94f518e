package main

import (
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"sluice/cmd/sluice/handover"
	"sluice/cmd/sluice/logging"
	"sluice/cmd/sluice/metrics"
	"sluice/cmd/sluice/service"
	"sluice/redir"
	"sluice/redir/config"
	"sluice/redir/inbound"
)

// process is a running `sluice run`. Its goroutine is the program's first.
type process struct {
	cmd       *runCmd
	config    config.Config // of cmd
	log       zerolog.Logger
	output    *logging.Output // of log
	signals   signals
	notify    *service.Notifier
	server    *redir.Server // nil: not started
	guard     *guard        // of the rules; nil: they are another's task
	idleRules []string      // flags of rules that nobody installs
	lines     *metrics.Lines
	standing  *standing // nil: not started
	window    window
	ledgers   ledgers
	reader    reader // on a reload; set before the first

	inEffect   atomic.Pointer[effect] // for any goroutine
	drainAsked atomic.Bool            // by the control socket

	changing   changing           // held by who changes cmd, config, server's inbounds, the rules
	door       *handover.Door     // where successors knock; nil: they do not
	followed   chan handover.Peer // who serves from now on
	hasYielded bool               // another one serves; guarded by changing
	refused    string             // why the last reload was; likewise
	isOpen     bool               // the rules let new connections pass, since the end has begun; likewise
	ending     atomic.Bool        // nothing is worth waiting for
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
	incumbent, inherited, err := p.follow(account)
	if err != nil {
		return err
	}
	defer incumbent.Close()
	options := p.cmd.options(p.log)
	inherited, err = p.window.open(p.cmd, account, inherited, p.log)
	options.Inherited = inbound.Inherit(inherited)
	if err != nil {
		options.Inherited.Close()
		return err
	}
	if p.server, err = redir.New(options); err != nil {
		return err
	}
	if err := p.ledgers.open(p.cmd, p.server, account); err != nil {
		return err
	}
	p.standing = newStanding(p.server, p.guard, p.lines)
	records := func() []metrics.Records { return p.ledgers.records(p.output) }
	p.standing.records.Store(&records)
	if p.cmd.User != "" {
		if err := account.Become(); err != nil {
			return err
		}
	}
	return p.serveConfined(incumbent)
}

// serveConfined gives up what running does not need, and begins to serve.
func (p *process) serveConfined(incumbent *handover.Incumbent) error {
	p.cmd.logIngress(p.log)
	p.cmd.logEgress(p.log)
	memory := openMemory(p.log)
	needs := p.cmd.needs()
	needs.Remove = p.window.removes()
	p.reader = newReader()
	needs.Rings = p.server.Engine() == redir.RingEngine
	holds, err := p.cmd.confine(needs, p.log)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(holds, func(name string) bool { return strings.HasPrefix(name, "landlock") }) {
		p.reader.only = p.cmd.rereads()
	}
	var kept []string
	if p.guard != nil {
		if kept, err = p.guard.ready(); err != nil {
			return err
		}
	}
	p.inEffect.Store(&effect{p.config, p.cmd.DrainTimeout})
	p.window.prepare(p)
	if incumbent.IsGone() {
		p.window.serve()
	}
	if err := p.begin(incumbent); err != nil {
		return err
	}
	p.standing.confined.Store(holds)
	p.standing.serve(p.config.Inbounds, p.cmd.InstallRules)
	p.standing.state.Store(stateServing)
	p.window.serve()
	p.window.ready()
	p.openDoor(incumbent.Doors())
	p.logReady(holds, kept)
	p.logIdleRules(p.idleRules)
	p.notify.Ready(p.status())
	memory.settle(p.log)
	return nil
}

// run serves until it is told to stop, or another serves, and then drains. An
// error says that sluice can serve no longer.
func (p *process) run() error {
	stop, err := p.serve()
	if err != nil {
		return err
	}
	if stop != nil {
		p.standing.state.Store(stateDraining)
		p.log.Info().Stringer("signal", stop).Msg("draining")
		p.notify.Stopping("draining")
		p.refuse()
	}
	p.drain(stop == nil)
	return nil
}

// serve returns the first signal that ends the program, or what keeps it from
// going on, or neither when another sluice has taken over. A reload runs beside
// it, so that no signal waits for one.
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
	report := reporter{status: p.status()}
	var reloads reloads
	for {
		select {
		case s := <-p.signals.stop:
			reloads.wait()
			return s, nil
		case successor := <-p.followed:
			reloads.wait()
			p.tellFollowed(successor)
			return nil, nil
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
			p.tellArrivals()
			report.tick(p)
		}
	}
}

// tellArrivals lets the keeper compare what arrived with what the rules divert.
// It leaves that for later while a reload or a hand-over may change the rules.
func (p *process) tellArrivals() {
	if p.guard == nil || !p.changing.TryLock() {
		return
	}
	defer p.changing.Unlock()
	p.guard.tell(arrivals(p.server.Stats()))
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

// runOf is the run command that was parsed.
func runOf(ctx *kong.Context) *runCmd {
	return ctx.Selected().Target.Addr().Interface().(*runCmd)
}
