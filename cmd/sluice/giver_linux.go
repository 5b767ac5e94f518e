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
	return g.server.Listeners(ctx)
}

func (g giver) Yield() error {
	ctx, cancel := context.WithTimeout(context.Background(), givePatience)
	defer cancel()
	if err := g.server.Yield(ctx); err != nil { // the successor serves all the same
		g.log.Error().Err(err).Msg("not every reactor has stopped accepting")
	}
	return nil
}

func (g giver) Leave() error {
	if g.diversion == nil {
		return nil
	}
	if err := g.diversion.leave(); err != nil {
		g.Retake()
		return err
	}
	g.diversion = nil
	return nil
}

// retakes is how often, a second apart, the rules are asked for that a successor
// may hold yet.
const retakes = 10

func (g giver) Retake() {
	if !g.cmd.InstallRules {
		return
	}
	var err error
	for range retakes {
		g.diversion = nil
		if err = g.redivert(g.cmd); err == nil || g.ending.Load() {
			break
		}
		time.Sleep(time.Second)
	}
	if err == nil && g.isOpen {
		err = g.diversion.open(g.cmd)
	}
	if err != nil {
		g.log.Error().Err(err).Msg("the rules that a successor was to have cannot be taken back; SIGHUP tries again")
	}
}
