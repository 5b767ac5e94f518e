package metrics

import (
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/usage"
	"sluice/redir/count"
)

// Snapshot is what a scrape writes. Whoever makes it waits for no reactor.
type Snapshot struct {
	Status   api.Status // its Health is not looked at
	Live     api.Health
	Ready    api.Health
	Counters count.Stats
	Times    [count.NumTimes]count.Distribution
	Reactors []Reactor
	Usage    usage.Usage

	PipesDenied uint64 // times that the kernel has granted none

	Records []Records
	Lines   *Lines // nil: they are not counted
}

// Reactor is how one turns.
type Reactor struct {
	Turns uint64        // that it has begun
	Ago   time.Duration // since its heartbeat
}

// Records are of flows, and what becomes of them somewhere.
type Records struct {
	Log     string // where they go: access_log, ipfix, journal
	Written uint64
	Dropped uint64 // since there was no room, or it failed
}
