package torture

import (
	"context"
	"time"
)

// figure is one claim and what shows it.
type figure struct {
	name, claim string
	// alone: it measures time or fills the machine, so that nothing may run beside it.
	alone bool
	// limit bounds one run of the short form; the long form may take longFactor times
	// as long, and the soak its own time beside.
	limit time.Duration
	needs []string // programs
	run   func(context.Context, *stage) error
}

// longFactor is how much longer than its limit a figure of the long form may take.
const longFactor = 8

// figures are all, in the order of the card.
func figures() []figure {
	return []figure{
		{"integrity", "no byte is lost, changed or mixed up", false, time.Minute, nil, integrity},
		{"ends", "every FIN and RST is passed on as it was, in each state and direction", false, time.Minute, nil, ends},
		{"aborts", "clients that abort leave nothing", false, time.Minute, nil, aborts},
		{"kill", "kill -9 leaks nothing, the rules are as --fail says, the next start serves at once", false, time.Minute, nil, kill},
		{"spoof", "spoofed UDP sources cost bounded memory and sessions", true, time.Minute, nil, spoof},
		{"starve", "a hostile client takes the gateway from nobody", true, 2 * time.Minute, []string{"prlimit"}, starve},
		{"closed", "closed means closed: not one packet passes unproxied, and flushes end no connection", true, time.Minute, nil, closedAlways},
		{"fds", "at no load does sluice hit its own fd limit", true, time.Minute, []string{"taskset", "prlimit"}, fds},
		{"stalled", "slow readers by the thousand cost bounded kernel memory", true, time.Minute, []string{"ss"}, stalled},
		{"errno", "an error of any system call ends in delivered or reset, and the process goes on or says why", false, 2 * time.Minute, []string{"strace"}, errnos},
		{"signals", "no log, disk or signal touches traffic, and no signal is lost", false, time.Minute, []string{"strace"}, signals},
		{"flood", "floods cost the flooder", true, time.Minute, nil, flood},
		{"loop", "two echo services that were spoofed onto each other are damped", true, time.Minute, nil, echoLoop},
		{"mice", "a small exchange stays fast beside bulk", true, 2 * time.Minute, []string{"iperf3", "taskset"}, mice},
		{"confined", "a compromised relay can do little", false, time.Minute, nil, confined},
		{"restart", "a restart is not an outage", true, time.Minute, nil, restart},
		{"soak", "under mixed load with reloads, faults and floods, memory, fds and latency stay flat", true, time.Minute, nil, soak},
	}
}
