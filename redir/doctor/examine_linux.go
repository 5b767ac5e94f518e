package doctor

import (
	"context"
	"os"
	"time"
)

// Options say what to look at.
type Options struct {
	Ifaces     []string // ingress; none: all but lo that are up
	Executable string   // sluice itself, for the test of this kernel; empty: leave it out
}

// Examine runs all checks in the calling thread's network namespace. It takes
// a few seconds, most of them the test of this kernel's, and changes nothing.
func Examine(ctx context.Context, o Options) []Result {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	before := lookAtPath()
	results := []Result{capabilities()}
	results = append(results, kernel()...)
	results = append(results, gatewayChecks(o.Ifaces)...)
	results = append(results, conntrack(), files(), pipes(), buffers(), pacing(), ring())
	ifaces, _ := interfaces(o.Ifaces)
	results = append(results, offloads(ifaces)...)
	results = append(results, kernelTest(ctx, o.Executable)...)
	results = append(results, foreignTest(ctx, o.Executable)...)
	results = append(results, realPath(ctx, before))
	finish(results, o.Ifaces, os.Geteuid() == 0)
	return results
}

// gatewayChecks are those of what an operator or a firewall has set.
func gatewayChecks(named []string) []Result {
	ifaces, found := interfaces(named)
	results := []Result{found, forwarding(), sourceCheck(ifaces), kernelMarks(), bridge(ifaces), routeLocalnet(ifaces), routing(), listeners()}
	stopping, tracker := firewalls(ifaces, len(named) > 0)
	return append(append(results, stopping...), tracker)
}
