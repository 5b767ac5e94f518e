package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"sluice/cmd/sluice/screen"
)

// topCmd is `sluice top`.
type topCmd struct {
	reachFlags
	Once  bool `env:"-" help:"Write text once, and leave."`
	Count int  `short:"n" env:"-" placeholder:"COUNT" help:"Write text so often, a second apart, and leave."`
	Plain bool `env:"-" help:"Write text each second, on a terminal too."`
	JSON  bool `name:"json" env:"-" help:"Write JSON, an object a line each second."`
}

// topRows bounds each table of a block of text.
const topRows = 10

// Run shows a whole terminal, or writes text where there is none or where it is asked for.
func (cmd *topCmd) Run() error {
	if cmd.Count < 0 {
		return fmt.Errorf("-n %d: want a number of times, or 0 for no end", cmd.Count)
	}
	source, err := cmd.client()
	if err != nil {
		return err
	}
	defer source.Close()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if _, err := source.Status(ctx); err != nil { // what cannot be mended by waiting is said at once
		return err
	}
	out := int(os.Stdout.Fd())
	isTerminal := term.IsTerminal(out)
	if isTerminal && !cmd.Once && !cmd.Plain && !cmd.JSON && cmd.Count == 0 && !screen.IsDumb(os.Getenv) {
		return screen.Run(ctx, source, screen.LookOf(os.Getenv))
	}
	text := &screen.Text{Out: os.Stdout, Told: os.Stderr, Count: cmd.Count, JSON: cmd.JSON, Rows: topRows}
	if isTerminal {
		text.Width, _, _ = term.GetSize(out) // 0, where it is not known
	}
	if cmd.Once {
		text.Count = 1
	}
	return screen.Plain(ctx, source, text)
}
