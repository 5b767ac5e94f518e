package main

import (
	"errors"
	"sync/atomic"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/keep"
	"sluice/redir/quote"
	"sluice/redir/rules"
)

const (
	// lookPeriod is how long what the keeper has said of the rules is taken to hold:
	// a look costs it 3 ms of CPU.
	lookPeriod = 2 * time.Second
	// lookPatience is how long who asks waits for a look. The keeper goes on with it
	// for who asks next.
	lookPatience = time.Second
)

// looks is what the guard knows of the rules, for any goroutine.
type looks struct {
	last  atomic.Pointer[look] // nil: there were none yet
	under atomic.Pointer[chan struct{}]
}

// look is what the keeper has said.
type look struct {
	rules keep.Rules
	at    time.Time
}

// changed notes that they were put in place, or taken away, without an error. Until
// somebody has looked, that is what is known.
func (l *looks) changed(holds bool) { l.last.Store(&look{rules: keep.Rules{Installed: holds}}) }

// rules is how the rules stand, as the keeper saw them some seconds ago. While they
// are being changed it is what was known before.
func (g *guard) rules() api.Rules {
	if last := g.looks.last.Load(); last == nil || time.Since(last.at) > lookPeriod {
		select {
		case <-g.lookAnew():
		case <-g.gone:
		case <-time.After(lookPatience):
		}
	}
	last := g.looks.last.Load()
	switch {
	case g.isGone():
		return api.Rules{Findings: []string{errKeeperGone.Error() + ", and nobody knows how the rules stand"}}
	case last == nil:
		return api.Rules{Findings: []string{"the rules are not in place yet"}}
	}
	said := last.rules
	return api.Rules{Installed: said.Installed, Effective: said.Installed && len(said.Amiss) == 0,
		Findings: append(quoted(said.Amiss), quoted(said.Hints)...), Zones: said.Zones}
}

// quoted are lines that may hold what others call their rules.
func quoted(lines []string) (all []string) {
	for _, line := range lines {
		all = append(all, quote.Line(line))
	}
	return all
}

// isGone reports whether the keeper has ended.
func (g *guard) isGone() bool {
	select {
	case <-g.gone:
		return true
	default:
		return false
	}
}

// lookAnew has the keeper look, if nobody does yet. The channel is closed when it has
// come to an end.
func (g *guard) lookAnew() <-chan struct{} {
	done := make(chan struct{})
	if !g.looks.under.CompareAndSwap(nil, &done) {
		if other := g.looks.under.Load(); other != nil {
			return *other
		}
		close(done)
		return done
	}
	go func() {
		defer close(done)
		defer g.looks.under.Store(nil)
		g.look()
	}()
	return done
}

// look asks the keeper, unless somebody asks it for something else.
func (g *guard) look() {
	if !g.asking.TryLock() {
		return
	}
	defer g.asking.Unlock()
	if !g.holds {
		g.looks.last.Store(&look{at: time.Now()})
		return
	}
	if err := g.conn.Send(keep.Request{Do: keep.Look}); err != nil {
		return
	}
	reply, err := g.reply()
	switch {
	case err != nil:
		g.looks.last.Store(&look{keep.Rules{Installed: true, Amiss: []string{err.Error()}}, time.Now()})
	case reply.Rules != nil:
		g.looks.last.Store(&look{*reply.Rules, time.Now()})
	}
}

// look says how the rules stand; nil: they are being changed.
func (k *keeper) look() (*keep.Rules, error) {
	if k.diversion == nil {
		return &keep.Rules{}, nil
	}
	state, err := k.diversion.installed.Look()
	if errors.Is(err, rules.ErrBusy) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	said := keep.Rules{Installed: true, Amiss: state.Amiss, Hints: state.Needs, Zones: state.Zones}
	if k.starving.warns() {
		said.Hints = append(said.Hints, "packets are diverted and do not arrive: "+doctorCommand(k.ifaces))
	}
	return new(said.Bounded()), nil
}
