package main

import (
	"context"
	"time"
)

// giver is the process as a hand-over sees it. It holds changing.
type giver struct{ *process }

// givePatience bounds what reactors are asked for.
const givePatience = 5 * time.Second

func (g giver) Sockets() ([]int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), givePatience)
	defer cancel()
	listeners, err := g.server.Listeners(ctx)
	return append(listeners, g.window.sockets()...), err
}

func (g giver) Yield() error {
	ctx, cancel := context.WithTimeout(context.Background(), givePatience)
	defer cancel()
	if err := g.server.Yield(ctx); err != nil { // the successor serves all the same
		g.log.Error().Err(err).Msg("not every reactor has stopped accepting")
	}
	g.window.close()
	return nil
}

func (g giver) Leave() error {
	if g.guard == nil {
		return nil
	}
	return g.guard.leave()
}

// retakes is how often, a second apart, the rules are asked for that a successor
// may hold yet.
const retakes = 10

func (g giver) Retake() {
	if g.guard == nil || !g.cmd.InstallRules {
		return
	}
	var err error
	for range retakes {
		if err = g.divert(); err == nil || g.ending.Load() {
			break
		}
		time.Sleep(time.Second)
	}
	if err == nil && g.isOpen {
		err = g.guard.open()
	}
	if err != nil {
		g.log.Error().Err(err).Msg("the rules that a successor was to have cannot be taken back; SIGHUP tries again")
	}
}
