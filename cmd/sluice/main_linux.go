package main

import (
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// cli is the command line.
type cli struct {
	Run     runCmd           `cmd:"" help:"Carry diverted traffic until a signal ends it."`
	Version kong.VersionFlag `help:"Print the version and leave."`
}

func main() {
	var c cli
	parser := kong.Must(&c,
		kong.Name("sluice"),
		kong.Description("A transparent proxy for Linux gateways: carries the TCP and UDP that netfilter "+
			"diverts to it (REDIRECT, TPROXY) to where it was going."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.DefaultEnvars("SLUICE"),
		kong.Vars{"version": version()},
		kong.ShortUsageOnError(),
		groups,
	)
	ctx, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	ctx.FatalIfErrorf(ctx.Run())
}

// groups are the subjects that help sorts the flags by.
var groups = kong.ExplicitGroups([]kong.Group{
	{Key: "listen", Title: "Listen"},
	{Key: "tcp", Title: "TCP"},
	{Key: "udp", Title: "UDP"},
	{Key: "admission", Title: "Where traffic may go"},
	{Key: "path", Title: "Data path"},
	{Key: "process", Title: "Process and log"},
})

// release is set by the linker (Makefile).
var release string

func version() string {
	if release != "" {
		return "sluice " + release
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return "sluice " + info.Main.Version
	}
	return "sluice"
}
