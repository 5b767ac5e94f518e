package redir

import "sluice/redir/inbound"

const (
	// mostLanes is how many UDP sockets a worker has for each family of an inbound.
	// The kernel spreads clients over them by a hash (SO_REUSEPORT), and each has a
	// buffer of its own: so who sends at wire speed overruns his own lane and not
	// the others', and who is in another lane need not wait until his datagrams were
	// dealt with. A socket more costs each datagram some nanoseconds, since the
	// kernel looks at all of a port (udp4_lib_lookup2).
	mostLanes = 8
	// mostLanesInAll bounds those of all workers and inbounds, for each family, and
	// lanesPart what they may take of the fds for both, as 1/lanesPart.
	mostLanesInAll = 64
	lanesPart      = 64
)

// lanes is how many an inbound has for each worker, where there may be so many
// fds.
func lanes(inbounds []inbound.Spec, workers, fds int) int {
	udp := 0
	for _, in := range inbounds {
		if in.UDP {
			udp++
		}
	}
	return max(1, min(mostLanes, min(mostLanesInAll, fds/lanesPart/2)/max(1, udp*workers)))
}
