package nat

import (
	"sync"
	"sync/atomic"
)

const cacheLine = 64 // bytes; amd64 and most arm64

// shard is one part of the table: all entries of the client addresses that fall
// to it. Readers use only index; all else needs mu. The two are on cache lines
// of their own: a lookup never waits for the line that an insert has just taken.
type shard[V any] struct {
	index atomic.Pointer[index[V]]
	_     [cacheLine - 8]byte

	mu     sync.Mutex
	count  int
	queues []*queue[V] // one per timeouts in use and class, in no order

	table  *Table[V]
	number int // among table.shards
	_      [cacheLine - 56]byte
}

// publish tells the table what the queues hold. Whoever changes a queue calls
// it before unlocking.
func (s *shard[V]) publish() {
	var held [classes]int
	records := [classes]int64{never, never, never, never, never}
	due := int64(never)
	for _, q := range s.queues {
		at := q.oldest()
		held[q.class] += len(q.items)
		records[q.class] = min(records[q.class], at)
		due = min(due, q.due(at))
	}
	for c := range classes {
		s.table.census[c].publish(s.number, held[c], records[c])
	}
	update(&s.table.due[s.number], due)
}

// queue returns the queue of timeouts and class; it may take over one that has
// become empty.
func (s *shard[V]) queue(timeouts Timeouts, c class) *queue[V] {
	var empty *queue[V]
	for _, q := range s.queues {
		if q.class == c && q.timeouts == timeouts {
			return q
		}
		if len(q.items) == 0 {
			empty = q
		}
	}
	if empty == nil {
		empty = new(queue[V])
		s.queues = append(s.queues, empty)
	}
	empty.timeouts, empty.class, empty.timeout = timeouts, c, timeouts.of(c)
	return empty
}

// oldest returns the queue of a class with the lowest record, or nil when the
// class is empty.
func (s *shard[V]) oldest(c class) *queue[V] {
	var oldest *queue[V]
	at := int64(never)
	for _, q := range s.queues {
		if q.class == c && len(q.items) > 0 && (oldest == nil || q.oldest() < at) {
			oldest, at = q, q.oldest()
		}
	}
	return oldest
}

// move puts an entry into another queue, and reports whether it is in the
// table at all. The caller holds the lock.
func (s *shard[V]) move(e *Entry[V], timeouts Timeouts, c class) bool {
	if e.queue == nil {
		return false
	}
	to := s.queue(timeouts, c)
	e.queue.remove(e)
	to.push(e)
	s.publish()
	return true
}

// rise gives an entry the state after a datagram and moves it to the queue of
// its class. The first time, which most flows know only, is cheap: so soon
// after it came, the entry is still near the bottom of its heap.
func (s *shard[V]) rise(e *Entry[V], now int64, after func(state, int64) state) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		was := e.state()
		is := after(was, now)
		if !e.bits.CompareAndSwap(uint32(was), uint32(is)) {
			continue // the client wrote, or has written, in between
		}
		if is.class() != was.class() && e.queue != nil {
			s.move(e, e.queue.timeouts, is.class())
		}
		return
	}
}
