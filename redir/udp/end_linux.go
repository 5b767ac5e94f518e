package udp

import (
	"math"
	"time"

	"sluice/nat"
	"sluice/redir/count"
)

const (
	// endsPerLook bounds how many flows one look at the table ends, so that a
	// burst of them does not hold up the turn.
	endsPerLook = 256
	// expiryGrain is the least time between two looks.
	expiryGrain = 20 * time.Millisecond
)

// evictOne ends the session with a socket that would make room in a full table.
func (w *Worker) evictOne() {
	if e := w.shared.flows.Evict(w.r.Now()); e != nil {
		w.evict(e)
	}
}

// evict ends a flow that lost its place in the table to another.
func (w *Worker) evict(e *nat.Entry[*flow]) {
	w.counters.Add(count.FlowsEvicted, 1)
	w.end(e, count.FlowsEvicted)
}

// end gives back what a flow held, after the entry was removed from the table for a
// cause. Its owner does it, since the fd is registered there.
func (w *Worker) end(e *nat.Entry[*flow], cause count.Counter) {
	w.counters.Add(count.FlowsClosed, 1)
	f := e.Value
	w.counters.Took(count.FlowDuration, w.r.Now()-f.start)
	f.of.End()
	f.cause = cause
	if f.isSourced() {
		w.tell(e)
		return
	}
	owner := f.owner
	if owner == w {
		f.retire(w)
		return
	}
	w.shared.handed.Add(1)
	owner.mu.Lock()
	owner.handed = append(owner.handed, f)
	first := len(owner.handed) == 1
	owner.mu.Unlock()
	if first && !owner.r.Post(owner.retireHanded) {
		w.retireFor(owner) // it has stopped, and looks at nothing any more
	}
}

func (w *Worker) retireAllHanded() { w.retireFor(w) }

// retireFor closes, when no worker can use them any more, the sockets of flows
// that were handed to their owner.
func (w *Worker) retireFor(owner *Worker) {
	owner.mu.Lock()
	handed := owner.handed
	owner.handed = nil
	owner.mu.Unlock()
	for _, f := range handed {
		f.retire(w)
	}
	w.shared.handed.Add(-int64(len(handed)))
}

func (f *flow) retire(w *Worker) {
	switch {
	case f.closed:
		return
	case f.there != nil:
		w.tell(f.entry)
		f.there.close(w)
	case w == f.owner && f.leavesSpare():
		w.tell(f.entry)
		w.r.Pass(int(f.fd), f)
	default:
		w.tell(f.entry)
		w.r.Retire(int(f.fd))
	}
	f.closed = true
}

// endingAreMany reports whether so many sockets of ended flows wait to be closed
// that none may be ended to make room: their fds are still taken.
func (w *Worker) endingAreMany() bool {
	return int64(w.r.Retired())+w.shared.handed.Load() >= w.shared.ending.Load()
}

// expireBy sees to it that the table is looked at by a time (ns of
// Reactor.Now).
func (w *Worker) expireBy(at int64) {
	if !w.expiry.Armed() || w.expiry.Deadline() > at {
		w.r.Arm(&w.expiry, w, max(expiryGrain, time.Duration(at-w.r.Now())))
	}
}

// expire ends a flow that was idle for its timeout.
func (w *Worker) expire(e *nat.Entry[*flow]) {
	w.counters.Add(count.FlowsIdle, 1)
	w.end(e, count.FlowsIdle)
}

// Expired ends the flows that have been idle for their timeout. When none is
// left, neither are the buffers.
func (w *Worker) Expired(now int64) {
	next := int64(math.MaxInt64)
	for _, table := range w.shared.tables() {
		next = min(next, table.Expire(now, endsPerLook, w.expire))
	}
	if next != math.MaxInt64 {
		w.expireBy(next)
		return
	}
	w.flush()
	w.spares.giveUp()
	w.toUpstream.slots.Trim()
	w.toClient.slots.Trim()
}
