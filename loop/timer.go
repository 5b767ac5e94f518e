package loop

// Timer calls its handler once, at or after a deadline. The zero Timer is
// disarmed. It is embedded in what it times, and belongs to the reactor that
// armed it.
//
// Re-arming costs a walk in a heap, so a connection does not re-arm on each
// byte: it lets the timer fire early, looks at when it was last active, and
// arms it for the rest.
type Timer struct {
	handler  TimerHandler
	deadline int64 // ns of Reactor.Now
	index    int   // place in the heap, plus one; 0 when disarmed
}

// TimerHandler is called on the reactor's thread when a timer has expired;
// the timer is then disarmed.
type TimerHandler interface {
	Expired(now int64)
}

// Armed reports whether the timer waits for its deadline.
func (t *Timer) Armed() bool { return t.index != 0 }

// Deadline is the time for which the timer was armed last, in ns of
// Reactor.Now.
func (t *Timer) Deadline() int64 { return t.deadline }

// timers is a heap of four children a node, least deadline first: connections
// of one kind arm in the order of their deadlines, so a push rarely climbs.
type timers struct {
	heap []*Timer
}

const heapArity = 4

func (ts *timers) arm(t *Timer, h TimerHandler, deadline int64) {
	t.handler = h
	t.deadline = deadline
	if t.index == 0 {
		ts.heap = append(ts.heap, t)
		t.index = len(ts.heap)
	}
	ts.fix(t)
}

func (ts *timers) cancel(t *Timer) {
	if t.index == 0 {
		return
	}
	last := ts.heap[len(ts.heap)-1]
	ts.heap[len(ts.heap)-1] = nil
	ts.heap = ts.heap[:len(ts.heap)-1]
	hole := t.index
	t.index = 0
	t.handler = nil
	if last != t {
		ts.heap[hole-1] = last
		last.index = hole
		ts.fix(last)
	}
}

// next returns the least deadline.
func (ts *timers) next() (deadline int64, ok bool) {
	if len(ts.heap) == 0 {
		return 0, false
	}
	return ts.heap[0].deadline, true
}

// expire calls the handlers of all timers whose deadline is now or earlier.
func (ts *timers) expire(now int64) {
	for len(ts.heap) > 0 && ts.heap[0].deadline <= now {
		t := ts.heap[0]
		h := t.handler
		ts.cancel(t)
		h.Expired(now)
	}
}

func (ts *timers) fix(t *Timer) {
	ts.up(t)
	ts.down(t)
}

func (ts *timers) up(t *Timer) {
	i := t.index - 1
	for i > 0 {
		parent := (i - 1) / heapArity
		if ts.heap[parent].deadline <= t.deadline {
			break
		}
		ts.place(ts.heap[parent], i)
		i = parent
	}
	ts.place(t, i)
}

func (ts *timers) down(t *Timer) {
	i := t.index - 1
	for {
		first := i*heapArity + 1
		if first >= len(ts.heap) {
			break
		}
		least := first
		for c := first + 1; c < min(first+heapArity, len(ts.heap)); c++ {
			if ts.heap[c].deadline < ts.heap[least].deadline {
				least = c
			}
		}
		if t.deadline <= ts.heap[least].deadline {
			break
		}
		ts.place(ts.heap[least], i)
		i = least
	}
	ts.place(t, i)
}

func (ts *timers) place(t *Timer, i int) {
	ts.heap[i] = t
	t.index = i + 1
}
