package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/redir/quote"
)

// cli is the command line.
type cli struct {
	Run         runCmd           `cmd:"" help:"Carry diverted traffic until a signal ends it."`
	Rules       RulesCmd         `cmd:"" brief:"Print, install, remove and look at the rules that divert." help:"Print, install, remove and look at the rules that divert traffic."`
	Doctor      DoctorCmd        `cmd:"" brief:"Check whether this gateway can divert, and how to mend it." help:"Check whether this gateway can divert traffic, and say what to do where it cannot."`
	Route       routeCmd         `cmd:"" help:"Say where flows go, and why."`
	Check       checkCmd         `cmd:"" help:"Say whether a configuration file is right."`
	Status      statusCmd        `cmd:"" help:"Say how a running sluice stands."`
	Flows       flowsCmd         `cmd:"" help:"Show the flows of a running sluice."`
	Top         topCmd           `cmd:"" brief:"Show what goes through a running sluice, and end it." help:"Show what goes through a running sluice, and end it: on a whole terminal, or as text."`
	Kill        killCmd          `cmd:"" help:"End flows of a running sluice."`
	Health      healthCmd        `cmd:"" brief:"Say whether a running sluice is well, by the exit status too." help:"Say whether a running sluice is well, by the exit status too: 0 if it is, else 1."`
	Completion  completionCmd    `cmd:"" help:"Print completions for a shell."`
	Complete    completeCmd      `cmd:"" hidden:"" help:"Print what a value may be, for completions."`
	Man         manCmd           `cmd:"" hidden:"" help:"Print the manual page."`
	Version     versionCmd       `cmd:"" brief:"Print the version, and what the kernel has." help:"Print the version, and what this machine's kernel has for it."`
	Help        helpCmd          `cmd:"" brief:"Show the help of a command, or of a group of its flags." help:"Show the help of a command, or of a group of its flags."`
	ShowVersion kong.VersionFlag `name:"version" short:"V" env:"-" help:"Print the version and leave."`
}

func main() {
	found := hideArguments()
	dropEmptyVariables()
	os.Exit(exitStatus(parse(os.Args[1:], withVariables(), kong.Bind(found, finder{etc: etc}))))
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
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(os.Stderr, "sluice:", quote.Line(line))
	}
	command := "sluice"
	var usage *kong.ParseError
	var own usageError
	switch {
	case errors.As(err, new(fileError)), errors.As(err, new(outputError)):
		return 1
	case errors.As(err, &own):
		command = own.command
	case !errors.As(err, &usage):
		return 1
	case usage.Context != nil && usage.Context.Selected() != nil:
		command = usage.Context.Selected().FullPath()
	}
	tellOtherNames(usage)
	fmt.Fprintf(os.Stderr, "Run %q for what there is.\n", command+" --help")
	return 2
}

// parse reads a command line into a cli of its own.
func parse(args []string, more ...kong.Option) (*kong.Context, error) {
	help := new(help)
	options := append([]kong.Option{
		kong.Name("sluice"),
		kong.Description("A transparent proxy for Linux gateways: carries the TCP and UDP that\n" +
			"netfilter diverts to it (REDIRECT, TPROXY) to where it was going."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"version": version()},
		kong.ExplicitGroups(groups()),
		kong.Help(help.show),
		kong.Bind(finder{}),
		mappers(),
	}, more...)
	k := kong.Must(&cli{}, options...)
	args, err := help.find(k.Model, args)
	if err != nil {
		return nil, err
	}
	return k.Parse(args)
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
		{Key: "target", Title: "Where sluice listens"},
		{Key: "text", Title: "What is printed"},
	}
}
