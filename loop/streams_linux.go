package loop

import "time"

// streams is when a reactor looks at the fds that carry streams. An edge of such
// an fd waits for its fellows: while streams move, their set is looked at once in
// a period, as a NIC that moderates its interrupts does (ethtool -C rx-usecs), and
// fewer wake-ups move more bytes each. Other fds are served at once meanwhile. When
// a look finds nothing, the next edge of a stream ends the reactor's sleep like
// any other's.
type streams struct {
	period int64 // ns; 0: streams are like all others
	awake  bool  // looks are due
	next   int64 // when the next is, in ns since the group was made
}

// SetStreamPeriod sets how long edges of streams may be gathered, 10 ms at most;
// 0 turns it off, as does a kernel before Linux 5.11 (ENOSYS) or a filter of
// system calls that does not know epoll_pwait2 (EPERM). Before Start.
func (g *Group) SetStreamPeriod(d time.Duration) {
	for _, r := range g.reactors {
		if _, err := r.engine.waitExactly(r.events[:], 0); err != nil {
			d = 0
		}
		r.streams.period = int64(d)
	}
}

// Stream tells that fd, which was added with the same interest, carries a stream
// from now on, or no longer does. Best effort: without memory for it, nothing
// changes.
func (r *Reactor) Stream(fd int, interest Events, on bool) {
	if tag, ok := r.slots.tag(fd); ok && r.streams.period > 0 {
		_ = r.engine.move(fd, interest, tag, on)
	}
}

// wait waits for events as long as the reactor has nothing else to do.
func (r *Reactor) wait() (int, error) {
	if r.streams.awake {
		return r.waitAmidStreams()
	}
	n, err := r.sleep()
	if err != nil || !r.engine.streamsReady() {
		return n, err
	}
	r.streams.awake = true
	m, err := r.look(n)
	return n + m, err
}

// waitAmidStreams waits for whichever comes first, another event or the next look
// at the streams.
func (r *Reactor) waitAmidStreams() (n int, err error) {
	timeout, pause := r.timeout(), r.streams.next-r.clock()
	if pause > 0 {
		if timeout >= 0 {
			pause = min(pause, timeout)
		}
		n, err = r.engine.waitExactly(r.events[:], pause)
		if n > 0 || err != nil || r.clock() < r.streams.next {
			return n, err
		}
	} else if n, err = r.engine.wait(r.events[:len(r.events)/2], 0); err != nil { // the rest is for streams, whatever else is ready
		return n, err
	}
	m, err := r.look(n)
	if n+m > 0 || err != nil || timeout == 0 {
		return n + m, err
	}
	if err := r.engine.heedStreams(); err != nil {
		return 0, err
	}
	r.streams.awake = false
	return r.wait()
}

// look adds the events of streams to the first n.
func (r *Reactor) look(n int) (int, error) {
	r.streams.next = r.clock() + r.streams.period
	r.poll.lone = 0
	if n == len(r.events) {
		return 0, nil
	}
	return r.engine.lookAtStreams(r.events[n:])
}

// clock is the present time in ns since the group was made.
func (r *Reactor) clock() int64 { return int64(time.Since(r.start)) }
