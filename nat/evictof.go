package nat

import "time"

const (
	// ownLooks bounds the entries of one queue among which EvictOf looks for a
	// client's. A client that has many is most of its shard, and its longest idle
	// one is near the top.
	ownLooks = 256

	// ownKept is how long (ns) an entry that conversed may be idle and keep its
	// place against newer ones of its client (RFC 4787, REQ-5).
	ownKept = int64(2 * time.Minute)
)

// EvictOf removes an entry of k's address, for a caller that lets one client
// hold only so many. Of the first of these kinds that there is any of, the longest
// idle one: those that have waited for a reply for more than 2 s; those of one
// exchange, then of two; those that conversed, and then those that last, when they
// have been idle for 2 minutes. It returns nil when there is none, or where the
// entries of other addresses in the same shard hide it.
func (t *Table[V]) EvictOf(k Key, now int64) *Entry[V] {
	s, _ := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.publish()
	for c := range classes {
		if e := s.ownOldest(c, k); e != nil && e.Idle(now) > ownIdle(c) {
			t.unlink(e)
			t.count.Add(-1)
			return e
		}
	}
	return nil
}

// ownIdle is how long an entry of a class must have been idle for EvictOf.
func ownIdle(c class) int64 {
	switch c {
	case waiting:
		return replyWait
	case answered, repeated:
		return -1
	}
	return ownKept
}

// ownOldest returns the longest idle entry of a class and of k's address, as
// far as ownLooks shows.
func (s *shard[V]) ownOldest(c class, k Key) (oldest *Entry[V]) {
	for _, q := range s.queues {
		if q.class != c {
			continue
		}
		for looks := 0; looks < ownLooks && len(q.items) > 0 && !q.settle(); looks++ {
		}
		for _, it := range q.items[:min(len(q.items), ownLooks)] {
			e := it.e
			if !e.key.sameAddress(k) || oldest != nil && e.touched.Load() >= oldest.touched.Load() {
				continue
			}
			oldest = e
			if it == q.items[0] {
				break // nobody in the queue has a lower record, and this one holds
			}
		}
	}
	return oldest
}
