package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"

	"github.com/alecthomas/kong"
	"golang.org/x/sys/unix"
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
}

// sparePs is how many more goroutines may run than there are CPUs, so that those in
// blocking calls need not hand their place over.
const sparePs = 2

func main() {
	runtime.GOMAXPROCS(runtime.NumCPU() + sparePs)
	var g grammar
	parser := kong.Must(&g,
		kong.Name("sluice-bench"),
		kong.Description("Try and load transparent proxies."),
		kong.UsageOnError(),
		kong.Exit(exit),
	)
	k, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
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

// exit maps kong's status for a bad command line to the usual 2.
func exit(status int) {
	if status != 0 {
		status = 2
	}
	os.Exit(status)
}
