package main

import (
	"context"
	"errors"
	"time"

	"sluice/redir/rules"
)

// refuse ends the service for what is new, so that nobody waits for it in vain.
func (p *process) refuse() {
	if !p.interrupt() {
		p.log.Error().Msg("a reload or a hand-over hangs: while connections drain, new ones may hang too")
		return
	}
	defer p.changing.Unlock()
	diverts := p.guard != nil && p.guard.hasRules()
	if diverts {
		if err := p.guard.open(); err != nil {
			p.log.Error().Err(err).Msg("while connections drain, new ones are refused")
		}
		p.isOpen = true
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.cmd.DrainTimeout)
	defer cancel()
	forward := diverts && p.cmd.Rules.Fail == string(rules.Open)
	if err := p.server.Refuse(ctx, forward); err != nil && p.cmd.DrainTimeout > 0 {
		p.log.Error().Err(err).Msg("while connections drain, new ones may hang: a reactor is stuck")
	}
}

// handOverPatience is how long the end waits for a hand-over that is under way,
// before it is broken off.
const handOverPatience = time.Second

// interrupt locks changing for the end, and reports whether it could.
func (p *process) interrupt() bool {
	if p.changing.lockSoon(handOverPatience) {
		return true
	}
	if p.door != nil {
		p.door.HangUp()
	}
	return p.changing.lockSoon(reloadPatience)
}

// drain lets running connections finish, until the time is over or another
// signal to stop comes. One that comes after another sluice has taken over may
// have been meant for a service that is restarted, and does not count.
func (p *process) drain(handedOver bool) {
	ctx, cancel := context.WithTimeout(context.Background(), p.cmd.DrainTimeout)
	defer cancel()
	drained := make(chan struct{})
	go func() {
		p.server.Drain(ctx)
		close(drained)
	}()
	for {
		select {
		case <-drained:
			return
		case <-p.signals.counters:
			p.logStats("counters")
		case successor := <-p.followed:
			p.tellFollowed(successor)
			handedOver = true
		case s := <-p.signals.stop:
			if !handedOver {
				cancel()
				continue
			}
			handedOver = false
			p.log.Info().Stringer("signal", s).Msg("draining; another signal ends it")
		}
	}
}

// close ends what is left. While connections drain, they need the rules, and
// while there are rules, somebody has to answer where they lead.
func (p *process) close() error {
	if p.notify != nil {
		defer p.notify.Close()
	}
	defer p.standing.close()
	p.closeDoor()
	p.window.close()
	if p.server == nil {
		if p.guard != nil {
			return p.guard.remove()
		}
		return nil
	}
	if !p.changing.lockSoon(reloadPatience) {
		return errors.Join(errHangs, p.server.Close())
	}
	defer p.changing.Unlock()
	var err error
	if p.guard != nil {
		if p.guard.hasRules() {
			ctx, cancel := context.WithTimeout(context.Background(), givePatience)
			defer cancel()
			_ = p.server.Abort(ctx) // fails where nothing was started, or hangs
		}
		err = p.guard.remove()
	}
	return errors.Join(err, p.server.Close())
}

// errHangs says that the rules may be left.
var errHangs = errors.New("a reload or a hand-over hangs: sluice rules status says what is left of the rules")

// failedError says that a reactor has ended, and what it carried hangs, or the
// keeper, and nobody watches the rules: the program ends at once.
type failedError struct{ err error }

func (e *failedError) Error() string { return "ends at once, since it cannot go on: " + e.err.Error() }

// abandon ends the program after a failedError, without a word to anybody who
// is connected. Rules that fail closed stay, as they would after a kill -9: the
// next start takes them over.
func (p *process) abandon() error {
	p.closeDoor()
	p.window.close()
	if !p.changing.lockSoon(reloadPatience) {
		return errHangs
	}
	defer p.changing.Unlock()
	if p.guard == nil {
		return nil
	}
	if p.cmd.Rules.Fail == string(rules.Closed) {
		p.guard.hangUp()
		return nil
	}
	if err := p.guard.remove(); !errors.Is(err, errKeeperGone) { // which is why, if it is
		return err
	}
	return nil
}
