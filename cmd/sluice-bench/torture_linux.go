package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sluice/bench/lab"
	"sluice/bench/torture"
)

type tortureCmd struct {
	Sluice  string   `help:"The sluice program." default:"bin/sluice" placeholder:"PATH"`
	Only    []string `help:"Only these figures (see --list)." enum:"${figures}" placeholder:"NAME"`
	Short   bool     `help:"Short sizes, with wider targets where they are statistical: all within three minutes."`
	Minutes float64  `help:"Length of the soak (default: 30, with --short half of one)." placeholder:"N"`
	JSON    string   `name:"json" help:"Write the card as JSON too; - is standard output." placeholder:"FILE"`
	List    bool     `help:"List the figures and leave."`
}

// statusError ends the program with a status of its own.
type statusError struct {
	error
	status int
}

// Validate refuses what no soak lasts.
func (c *tortureCmd) Validate() error {
	if c.Minutes < 0 || c.Minutes > 24*60 {
		return fmt.Errorf("--minutes %v is not within 0 to %d", c.Minutes, 24*60)
	}
	return nil
}

func (c *tortureCmd) Run(ctx context.Context) error {
	if c.List {
		return torture.WriteList(os.Stdout)
	}
	if err := lab.Enter(); err != nil {
		return statusError{err, 2}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := os.Stdout
	if c.JSON == "-" {
		out = os.Stderr
	}
	card, err := torture.Run(ctx, torture.Options{Sluice: c.Sluice, Only: c.Only, Short: c.Short, Minutes: c.Minutes, Out: untilUnread{out, cancel}})
	if card != nil && c.JSON != "" {
		err = errors.Join(err, c.write(card))
	}
	switch {
	case err != nil:
		return statusError{err, 2}
	case card.Verdict() == torture.Failed:
		return statusError{errors.New("a figure could not be measured"), 2}
	case card.Verdict() == torture.Missed:
		return statusError{errors.New("a figure misses its target"), 1}
	}
	return nil
}

func (c *tortureCmd) write(card *torture.Card) error {
	if c.JSON == "-" {
		return card.Write(os.Stdout)
	}
	f, err := os.Create(c.JSON)
	if err != nil {
		return err
	}
	return errors.Join(card.Write(f), f.Close())
}
