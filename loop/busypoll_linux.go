package loop

import "time"

// busyPoll keeps a reactor awake between the events of a lone exchange, one
// request or datagram at a time, where two thirds of the time go into putting a
// CPU to sleep and waking it.
//
// How long a wait lasts does not tell whether polling would have paid: it holds the
// reactor's own waking, which takes longer than the partner's share on many a
// machine. So polling is tried, after some waits that each ended with a single event
// and not too late, and is kept up as long as events come meanwhile, but for one in
// some. Each trial that fails makes the next wait for twice as many, up to loneMost,
// until polling has proved itself (as haltpoll does for idle CPUs, and KVM's
// halt_poll_ns for virtual ones). So what is polled in vain is a ninth of all polls at
// most, and one limit in loneMost waits in the long run where no trial succeeds; as
// none does where the partner has no other CPU than the one that polls.
//
// A reactor that has more to do does not poll: it finds its events without waiting.
// Neither does one whose handlers say that they serve a stream.
type busyPoll struct {
	limit int64 // ns of polling before the reactor sleeps; 0: none
	lone  int   // waits in a row, up to loneMost, that one event ended in good time
	need  int   // how many of them make a trial, if more than loneEnough
	hits  int   // polls that an event ended since one was in vain
}

const (
	// loneEnough waits make a first trial, and as many polls that an event ended
	// make up for one in vain.
	loneEnough = 8
	// loneMost waits make a trial, however often it has failed.
	loneMost = 1024
	// loneWait is how many limits a wait that ends a sleep may last, and may yet
	// be of a lone exchange: slow machines take some hundred us to wake.
	loneWait = 10
)

// polls tells whether the next wait begins with polling.
func (p *busyPoll) polls() bool { return p.lone >= max(p.need, loneEnough) }

// slept accounts for a wait that n events, or a timer, ended after a sleep; in vain
// where it had polled for all of the limit.
func (p *busyPoll) slept(n int, took int64, inVain bool) {
	if inVain && p.hits < loneEnough {
		p.need = min(2*max(p.need, loneEnough), loneMost)
		p.lone = 0
	}
	if inVain {
		p.hits = 0
	}
	if n == 1 && took < loneWait*p.limit {
		p.lone = min(p.lone+1, loneMost)
	} else {
		p.lone = 0
	}
}

// hit accounts for a wait that n events ended while the reactor polled.
func (p *busyPoll) hit(n int) {
	if n > 1 {
		p.lone = 0
		return
	}
	if p.hits++; p.hits >= loneEnough {
		p.need = 0
	}
}

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
	began, polls := r.clock(), r.poll.polls()
	for polls && n == 0 && err == nil && timeout != 0 && r.clock()-began < r.poll.limit {
		n, err = r.engine.wait(r.events[:], 0)
		timeout = r.timeout()
	}
	switch {
	case err != nil:
		return n, err // a signal tells nothing of the exchange
	case n > 0:
		r.poll.hit(n)
		return n, nil
	}
	inVain := polls && r.clock()-began >= r.poll.limit
	if n, err = r.engine.wait(r.events[:], timeout); err == nil {
		r.poll.slept(n, r.clock()-began, inVain)
	}
	return n, err
}
