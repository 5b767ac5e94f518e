package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/sys/unix"

	"sluice/bench/compare"
	"sluice/bench/torture"
)

// grammar is the command line.
type grammar struct {
	Lab   labCmd   `cmd:"" help:"Namespaces client, gateway and server, by hand."`
	Demo  demoCmd  `cmd:"" help:"Send TCP and UDP through sluice in a lab and show what happened."`
	Serve serveCmd `cmd:"" help:"Be what loads are sent to: echo, sink, source and responder on one port, TCP and UDP."`
	Socks socksCmd `cmd:"" help:"Be a SOCKS5 server that costs little: what proxies are measured through."`
	Load  loadCmd  `cmd:"" help:"Put one load on a path, verify what comes back, and measure."`
	Flood floodCmd `cmd:"" help:"Send packets from sources that are not its own, as root."`

	Compare compareCmd `cmd:"" help:"Measure sluice beside other proxies, in interleaved rounds."`
	Report  reportCmd  `cmd:"" help:"Draw a comparison again from its JSON."`

	Torture tortureCmd `cmd:"" help:"Put sluice under attack, faults and load: a card of figures, measured beside target."`

	Version versionCmd `cmd:"" help:"Show the version, and what it was built with."`

	ShowVersion kong.VersionFlag `name:"version" help:"Show the version and leave."`
}

// sparePs is how many more goroutines may run than there are CPUs, so that those in
// blocking calls need not hand their place over.
const sparePs = 2

func main() {
	runtime.GOMAXPROCS(runtime.NumCPU() + sparePs)
	k, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "sluice-bench:", err)
		fmt.Fprintf(os.Stderr, "Run %q for what there is.\n", commandOf(err)+" --help")
		os.Exit(2)
	}
	// SIGPIPE comes with every write to a connection that is gone, and kills where it is
	// stdout (| head), which would leave a lab and all that runs there behind. Caught, it
	// is the write's error alone.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	ending := []os.Signal{unix.SIGINT, unix.SIGTERM}
	if !signal.Ignored(unix.SIGHUP) { // nohup
		ending = append(ending, unix.SIGHUP) // a terminal that is closed leaves no namespaces behind
	}
	ctx, stop := signal.NotifyContext(context.Background(), ending...)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	if err := k.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "sluice-bench:", err)
		os.Exit(statusOf(err))
	}
}

// statusOf is the exit status that an error asks for, else 1.
func statusOf(err error) int {
	var s statusError
	if errors.As(err, &s) {
		return s.status
	}
	return 1
}

// parse reads a command line. `help COMMAND` and a bare `sluice-bench` are help too.
func parse(args []string, more ...kong.Option) (*kong.Context, error) {
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(slices.Clone(args[1:]), "--help")
	}
	options := append([]kong.Option{
		kong.Name("sluice-bench"),
		kong.Description("Try and load transparent proxies."),
		kong.ConfigureHelp(kong.HelpOptions{WrapUpperBound: 100}),
		kong.KindMapper(reflect.String, word{}),
		kong.Vars{"version": "sluice-bench " + version(), "works": strings.Join(append(compare.Keys(), "all"), ","),
			"sweeps": strings.Join(append(compare.Sweeps(), "all"), ","), "peers": strings.Join(compare.Kinds(), ","),
			"figures": strings.Join(torture.Names(), ",")},
	}, more...)
	return kong.Must(&grammar{}, options...).Parse(args)
}

// commandOf is the command that a bad command line meant, as far as it got.
func commandOf(err error) string {
	var usage *kong.ParseError
	if errors.As(err, &usage) && usage.Context != nil && usage.Context.Selected() != nil {
		return usage.Context.Selected().FullPath()
	}
	return "sluice-bench"
}
