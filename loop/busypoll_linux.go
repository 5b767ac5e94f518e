package loop

import "time"

// busyPoll keeps a reactor awake between the events of a lone exchange, one
// request or datagram at a time, where two thirds of the time go into putting a
// CPU to sleep and waking it. Polling is taken up when loneEnough waits in a row
// each ended soon and with a single event, and given up as soon as one does not,
// so a reactor that has more to do does not poll: it finds its events without
// waiting. Neither does one whose handlers say that they serve a stream.
type busyPoll struct {
	limit int64 // ns of polling before the reactor sleeps; 0: none
	lone  int   // waits in a row, up to loneEnough, that one event ended within limit
}

const loneEnough = 8

// SetBusyPoll sets how long the group's reactors may poll before they sleep; 0
// is none. Before Start.
func (g *Group) SetBusyPoll(d time.Duration) {
	for _, r := range g.reactors {
		r.poll.limit = int64(d)
	}
}

// NotLone tells that the event at hand belongs to a stream, which gains nothing
// by a reactor that stays awake for it.
func (r *Reactor) NotLone() { r.poll.lone = 0 }

// sleep waits for events as long as the reactor has nothing else to do.
func (r *Reactor) sleep() (int, error) {
	timeout := r.timeout()
	if r.poll.limit == 0 || timeout == 0 {
		return r.engine.wait(r.events[:], timeout)
	}
	n, err := r.engine.wait(r.events[:], 0)
	if n != 0 || err != nil {
		if n > 1 {
			r.poll.lone = 0
		}
		return n, err
	}
	began, polls := time.Since(r.start), r.poll.lone == loneEnough
	for polls && n == 0 && err == nil && timeout != 0 && int64(time.Since(r.start)-began) < r.poll.limit {
		n, err = r.engine.wait(r.events[:], 0)
		timeout = r.timeout()
	}
	if n == 0 && err == nil {
		n, err = r.engine.wait(r.events[:], timeout)
	}
	if err != nil {
		return n, err // a signal tells nothing of the exchange
	}
	if n == 1 && int64(time.Since(r.start)-began) < r.poll.limit {
		r.poll.lone = min(r.poll.lone+1, loneEnough)
	} else {
		r.poll.lone = 0
	}
	return n, err
}
