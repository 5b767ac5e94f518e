package nat

import (
	"sync"
	"sync/atomic"
)

const cacheLine = 64 // bytes; amd64 and most arm64

// shard is one part of the table. Readers use only index; all else needs mu,
// but for the bounds, which anybody may read. The three are on cache lines of
// their own: a lookup never waits for the line that an insert has just taken.
type shard[V any] struct {
	index atomic.Pointer[index[V]]
	_     [cacheLine - 8]byte

	mu     sync.Mutex
	count  int
	queues []*queue[V] // one per timeout in use and class, in no order

	unreplied *atomic.Int64 // the table's
	_         [cacheLine - 48]byte

	bounds bounds
	_      [cacheLine - 24]byte
}

// bounds are the times before which a shard certainly has nothing, never
// where there is nothing at all.
type bounds struct {
	unreplied, replied atomic.Int64 // lowest record of either class
	due                atomic.Int64 // first end of an entry by its record
}

func (b *bounds) oldest(replied bool) *atomic.Int64 {
	if replied {
		return &b.replied
	}
	return &b.unreplied
}

// publish brings the bounds up to date. Whoever changes a queue calls it before
// unlocking.
func (s *shard[V]) publish() {
	unreplied, replied, due := int64(never), int64(never), int64(never)
	for _, q := range s.queues {
		at := q.oldest()
		if q.replied {
			replied = min(replied, at)
		} else {
			unreplied = min(unreplied, at)
		}
		due = min(due, q.due(at))
	}
	update(&s.bounds.unreplied, unreplied)
	update(&s.bounds.replied, replied)
	update(&s.bounds.due, due)
}

// update stores only what is new, to leave the cache line with its readers.
func update(w *atomic.Int64, v int64) {
	if w.Load() != v {
		w.Store(v)
	}
}

// queue returns the queue of a timeout, at least 0, and class; it may take
// over one that has become empty.
func (s *shard[V]) queue(timeout int64, replied bool) *queue[V] {
	timeout = max(0, timeout)
	var empty *queue[V]
	for _, q := range s.queues {
		if q.timeout == timeout && q.replied == replied {
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
	empty.timeout, empty.replied = timeout, replied
	return empty
}

// oldest returns the queue of a class with the lowest record, or nil when the
// class is empty.
func (s *shard[V]) oldest(replied bool) *queue[V] {
	var oldest *queue[V]
	at := int64(never)
	for _, q := range s.queues {
		if q.replied == replied && len(q.items) > 0 && (oldest == nil || q.oldest() < at) {
			oldest, at = q, q.oldest()
		}
	}
	return oldest
}

// move puts an entry into another queue, and reports whether it is in the
// table at all. The caller holds the lock.
func (s *shard[V]) move(e *Entry[V], timeout int64, replied bool) bool {
	if e.queue == nil {
		return false
	}
	to := s.queue(timeout, replied)
	e.queue.remove(e)
	to.push(e)
	s.publish()
	return true
}

// reply moves an entry from the unreplied to the replied ones. That is cheap
// so soon after it came: it is still near the bottom of its heap.
func (s *shard[V]) reply(e *Entry[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !e.Replied() && e.queue != nil {
		s.move(e, e.queue.timeout, true)
		s.unreplied.Add(-1)
	}
	e.flags.Or(flagReplied)
}
