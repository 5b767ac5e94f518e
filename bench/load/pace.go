package load

import "time"

// pace says when the units of an open loop are due: evenly, from its start. A
// unit that is sent late keeps its due time, so waiting counts as latency (no
// coordinated omission).
type pace struct {
	perUnit float64 // nanoseconds
	next    uint64  // the unit that comes due next
}

func newPace(rate float64) pace { return pace{perUnit: float64(time.Second) / rate} }

// due is the time of unit n, in nanoseconds from the start.
func (p *pace) due(n uint64) int64 { return int64(float64(n) * p.perUnit) }

// ready is how many units are due at now and not yet taken.
func (p *pace) ready(now int64) uint64 {
	n := uint64(float64(now)/p.perUnit) + 1
	return max(n, p.next) - p.next
}

// late is how many units were due before end and not taken.
func (p *pace) late(end int64) uint64 { return p.ready(max(end-1, 0)) }

// wait is the time from now to the next unit.
func (p *pace) wait(now int64) time.Duration { return time.Duration(p.due(p.next) - now) }
