package redir

import (
	"sync/atomic"
	"time"
)

// wallSlack is how far the time of day may go astray from Reactor.Now before it counts
// as set: more than a goroutine is held up between two clocks, or an hour of slewing at
// 10 ppm makes.
const wallSlack = 50 * time.Millisecond

// wall tells the time of day at times of Reactor.Now: the same for the same time,
// unless the clock was set or has crept away. Any goroutine may ask.
type wall struct{ zero atomic.Int64 } // Unix time in ns at 0 of Reactor.Now; 0: nobody has asked

// at is the time of day at ns, where it is today at now.
func (w *wall) at(ns, now int64, today time.Time) time.Time {
	zero, is := w.zero.Load(), today.UnixNano()-now
	if time.Duration(is-zero).Abs() > wallSlack {
		w.zero.CompareAndSwap(zero, is) // or somebody else has
		zero = w.zero.Load()
	}
	return time.Unix(0, zero+ns)
}
