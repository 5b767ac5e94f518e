package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"

	"sluice/cmd/sluice/service"
	"sluice/redir"
	"sluice/redir/config"
)

// process is a running `sluice run`. Its goroutine is the program's first.
type process struct {
	cmd       *runCmd
	config    config.Config // of cmd
	log       zerolog.Logger
	signals   chan os.Signal
	notify    *service.Notifier
	server    *redir.Server // nil: not started
	diversion *diversion    // nil: no rules of ours
	starving  *starving
}

// start opens everything; after an error, close closes what was opened.
func (p *process) start() (err error) {
	var account service.Account
	if p.cmd.User != "" {
		if account, err = service.FindAccount(p.cmd.User); err != nil {
			return err
		}
	}
	p.signals = make(chan os.Signal, 8)
	signal.Notify(p.signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	if p.notify, err = service.NewNotifier(); err != nil {
		return err
	}
	if p.server, err = redir.New(p.cmd.options(p.log)); err != nil {
		return err
	}
	if p.cmd.User != "" {
		if err := account.Become(); err != nil {
			return err
		}
	}
	p.server.Start()
	if err := p.redivert(p.cmd); err != nil {
		return err
	}
	p.cmd.logIngress(p.log)
	p.logReady()
	p.notify.Ready(p.status())
	if err := settle(); err != nil {
		p.log.Debug().Err(err).Msg("the memory of starting up is kept")
	}
	return nil
}

// run serves until it is told to stop, and then drains.
func (p *process) run() {
	stop := p.serve()
	p.log.Info().Stringer("signal", stop).Msg("draining")
	p.notify.Stopping("draining")
	if p.diversion != nil {
		if err := p.diversion.open(p.cmd); err != nil {
			p.log.Error().Err(err).Msg("while connections drain, new ones are refused")
		}
	}
	p.drain()
}

// close ends what is left. The rules go last: while connections drain, they
// need them.
func (p *process) close() error {
	if p.notify != nil {
		defer p.notify.Close()
	}
	if p.server == nil {
		return nil
	}
	err := p.server.Close()
	if p.diversion != nil {
		err = errors.Join(err, p.diversion.close())
	}
	return err
}

// serve returns the first signal that ends the program.
func (p *process) serve() os.Signal {
	var look <-chan time.Time
	if p.notify.Watchdog > 0 {
		ticker := time.NewTicker(p.notify.Watchdog / 3)
		defer ticker.Stop()
		look = ticker.C
	}
	compare := time.NewTicker(starvingPeriod)
	defer compare.Stop()
	p.starving = newStarving()
	p.lookForStarving(time.Now())
	for {
		select {
		case s := <-p.signals:
			switch s {
			case syscall.SIGUSR1:
				p.logStats("counters")
			case syscall.SIGHUP:
				p.reload()
			default:
				return s
			}
		case <-look:
			p.answerWatchdog()
		case now := <-compare.C:
			p.lookForStarving(now)
		}
	}
}

func (p *process) lookForStarving(now time.Time) {
	if p.diversion != nil {
		p.starving.look(now, p.server.Stats(), p.cmd.Rules.Iface, p.log)
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
			case s := <-p.signals:
				switch s {
				case syscall.SIGUSR1:
					p.logStats("counters")
				case syscall.SIGTERM, syscall.SIGINT:
					cancel()
					return
				}
			}
		}
	}()
	p.server.Drain(ctx)
}

// runOf is the run command that was parsed.
func runOf(ctx *kong.Context) *runCmd {
	return ctx.Selected().Target.Addr().Interface().(*runCmd)
}
