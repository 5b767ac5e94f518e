package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/redir/quote"
)

// cli is the command line.
type cli struct {
	Run        runCmd           `cmd:"" help:"Carry diverted traffic until a signal ends it."`
	Rules      RulesCmd         `cmd:"" help:"Print, install, remove and look at the rules that divert traffic."`
	Doctor     DoctorCmd        `cmd:"" help:"Check whether this gateway can divert traffic, and say what to do where it cannot."`
	Route      routeCmd         `cmd:"" help:"Say where flows go, and why."`
	Check      checkCmd         `cmd:"" help:"Say whether a configuration file is right."`
	Status     statusCmd        `cmd:"" help:"Say how a running sluice stands."`
	Flows      flowsCmd         `cmd:"" help:"Show the flows of a running sluice."`
	Top        topCmd           `cmd:"" help:"Show what goes through a running sluice, and end it: on a whole terminal, or as text."`
	Kill       killCmd          `cmd:"" help:"End flows of a running sluice."`
	Health     healthCmd        `cmd:"" help:"Say whether a running sluice is well, by the exit status too: 0 if it is, else 1."`
	Completion completionCmd    `cmd:"" help:"Print completions for a shell."`
	Man        manCmd           `cmd:"" hidden:"" help:"Print the manual page."`
	Version    kong.VersionFlag `env:"-" help:"Print the version and leave."`
}

func main() {
	found := hideArguments()
	dropEmptyVariables()
	os.Exit(exitStatus(parse(os.Args[1:], withVariables(), kong.Bind(found))))
}

// exitStatus runs the command that was parsed, or says what is wrong: 0 when
// all is well, 1 when something failed, 2 for a command line that cannot be.
func exitStatus(ctx *kong.Context, err error) int {
	if err == nil {
		for _, line := range tellsBeforehand(ctx) {
			fmt.Fprintln(os.Stderr, "sluice: warning:", line)
		}
		err = ctx.Run()
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "sluice:", quote.Line(strings.ReplaceAll(err.Error(), "\n", "; ")))
	var usage *kong.ParseError
	if !errors.As(err, &usage) || errors.As(err, new(fileError)) {
		return 1
	}
	command := "sluice"
	if usage.Context != nil && usage.Context.Selected() != nil {
		command = usage.Context.Selected().FullPath()
	}
	fmt.Fprintf(os.Stderr, "Run %q for what there is.\n", command+" --help")
	return 2
}

// parse reads a command line into a cli of its own.
func parse(args []string, more ...kong.Option) (*kong.Context, error) {
	options := append([]kong.Option{
		kong.Name("sluice"),
		kong.Description("A transparent proxy for Linux gateways: carries the TCP and UDP that netfilter " +
			"diverts to it (REDIRECT, TPROXY) to where it was going."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"version": version()},
		kong.ExplicitGroups(groups()),
		mappers(),
	}, more...)
	return kong.Must(&cli{}, options...).Parse(args)
}

// groups are the subjects that help sorts the flags by.
func groups() []kong.Group {
	return []kong.Group{
		{Key: "listen", Title: "Listen"},
		{Key: "route", Title: "Routes and upstreams"},
		{Key: "tcp", Title: "TCP"},
		{Key: "udp", Title: "UDP"},
		{Key: "client", Title: "What one client may have"},
		{Key: "admission", Title: "Where traffic may go"},
		{Key: "path", Title: "Data path"},
		{Key: "rules", Title: "Rules"},
		{Key: "control", Title: "See and steer"},
		{Key: "process", Title: "Process and log"},
		{Key: "config", Title: "Configuration"},
	}
}

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
