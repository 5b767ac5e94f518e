package main

import (
	"errors"
	"fmt"

	"github.com/rs/zerolog"

	"sluice/redir"
	"sluice/redir/route"
)

// checkCmd is `sluice check`.
type checkCmd struct {
	File string `arg:"" help:"The configuration file."`
}

// Run judges the file as `sluice run --config FILE` would, without other flags
// and without the environment.
func (cmd *checkCmd) Run() error {
	ctx, err := parse([]string{"run", "--config=" + cmd.File})
	if err != nil {
		return fileError{err}
	}
	run := runOf(ctx)
	if err = run.validateRun(); err == nil {
		err = run.checkPasswords()
	}
	var table *route.Table
	if err == nil {
		options := run.options(zerolog.Nop())
		table, _, err = options.Table(nil, nil)
	}
	if errors.Is(err, redir.ErrNoInbound) {
		err = errors.New(`names no inbound, as {"inbounds": [{"type": "tproxy", "listen": "::", "listen_port": 12345}]}`)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", cmd.File, err)
	}
	fmt.Println(cmd.File + ": ok")
	for _, f := range table.Unreachable() {
		fmt.Printf("%s: warning: %v\n", cmd.File, f)
	}
	return nil
}
