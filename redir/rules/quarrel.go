package rules

import "time"

// Bounds of a quarrel: a firewall that is loaded anew many times in a row is
// none, a program that puts its own back each second is.
const (
	manyRepairs  = 20          // within a minute
	shortestWait = time.Second // between repairs, once it is one
	longestWait  = 10 * time.Second
)

// quarrel says how long to wait before the next repair. The zero value has
// seen none.
type quarrel struct {
	recent []time.Time // repairs of the last minute
	wait   time.Duration
}

// repaired notes a repair and returns the wait before the next. insisting is
// true once, when somebody proves to undo them again and again. A minute
// without a repair ends the quarrel.
func (q *quarrel) repaired(now time.Time) (wait time.Duration, insisting bool) {
	kept := q.recent[:0]
	for _, t := range q.recent {
		if now.Sub(t) < time.Minute {
			kept = append(kept, t)
		}
	}
	if len(kept) == 0 {
		q.wait = 0
	}
	q.recent = append(kept, now)
	switch {
	case q.wait > 0:
		q.wait = min(2*q.wait, longestWait)
	case len(q.recent) > manyRepairs:
		q.wait, insisting = shortestWait, true
	}
	return q.wait, insisting
}
