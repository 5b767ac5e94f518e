package doctor

import (
	"context"
	"time"
)

// Options say what to look at.
type Options struct {
	Ifaces     []string // ingress; none: all but lo that are up
	Executable string   // sluice itself, for the self-probe; empty: leave it out
}

// Examine runs all checks in the calling thread's network namespace. It takes
// a few seconds, most of them the self-probe's, and changes nothing.
func Examine(ctx context.Context, o Options) []Result {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	results := []Result{capabilities()}
	results = append(results, kernel()...)
	ifaces, found := interfaces(o.Ifaces)
	results = append(results, found)
	results = append(results,
		forwarding(), sourceCheck(ifaces), bridge(ifaces), routeLocalnet(ifaces),
		routing(), listeners(), othersFirst(),
		conntrack(), files(), pipes(), buffers(), pacing())
	results = append(results, offloads(ifaces)...)
	return append(results, selfProbe(ctx, o.Executable)...)
}
