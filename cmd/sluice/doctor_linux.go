package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"sluice/redir/doctor"
)

// DoctorCmd is `sluice doctor`.
type DoctorCmd struct {
	Iface []string `complete:"interfaces" placeholder:"NAME" help:"Where clients' traffic arrives (repeatable); else every interface but lo that is up."`
	JSON  bool     `name:"json" help:"Print JSON."`
}

var errUnwell = errors.New("doctor: at least one check failed")

// Run prints one line for each check. It fails when one of them does.
func (c *DoctorCmd) Run(ctx *kong.Context) error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	results := doctor.Examine(context.Background(), doctor.Options{Ifaces: c.Iface, Executable: executable})
	if c.JSON {
		err = writeJSON(ctx.Stdout, results)
	} else {
		for _, r := range results {
			if _, err = fmt.Fprintln(ctx.Stdout, r); err != nil {
				break
			}
		}
	}
	if err == nil && doctor.Failed(results) {
		err = errUnwell
	}
	return err
}
