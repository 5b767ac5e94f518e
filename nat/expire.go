package nat

const (
	expireBatch = 32  // entries that leave a shard in one hold of its lock
	expireLooks = 128 // entries looked at in one hold of its lock
)

// Expire removes entries that have been idle for their timeout and calls fn
// with each; then, when SetMax has left more entries than the bound, it
// removes victims until they fit. It looks at no more than budget entries:
// those that it removes, and those that seemed due but were touched since. No
// lock is held while fn runs, so fn may use the table.
//
// It returns when to call it again: now when the budget ran out, otherwise
// when the first entry of those that it knew may be due, [math.MaxInt64] for
// none. An entry that is inserted later may be due earlier.
func (t *Table[V]) Expire(now int64, budget int, fn func(*Entry[V])) (next int64) {
	next, now = never, min(now, never-1)
	turn := t.turn.Add(1) // callers that come together start at different shards
	for i := range t.shards {
		s := &t.shards[(turn+uint64(i))%uint64(len(t.shards))]
		due := &t.due[s.number]
		for due.Load() <= now {
			if budget <= 0 {
				return now
			}
			var gone [expireBatch]*Entry[V]
			n, looks := t.expireFrom(s, now, min(budget, expireLooks), gone[:])
			budget -= looks
			for _, e := range gone[:n] {
				fn(e)
			}
		}
		next = min(next, due.Load())
	}
	for t.Len() > t.Max() {
		if budget--; budget < 0 {
			return now
		}
		if !t.giveBack() {
			break
		}
		e := t.evict(now)
		if e == nil { // others are still filling the places that they took
			t.count.Add(1)
			return now
		}
		fn(e)
	}
	return next
}

// expireFrom removes due entries of a shard and puts them into gone. It looks
// at up to most entries, and returns how many it removed and looked at.
func (t *Table[V]) expireFrom(s *shard[V], now int64, most int, gone []*Entry[V]) (n, looks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.queues {
		for q.due(q.oldest()) <= now && looks < most && n < len(gone) {
			looks++
			if top := q.items[0].e; q.due(top.touched.Load()) <= now {
				t.unlink(top)
				gone[n] = top
				n++
			} else {
				q.settle()
			}
		}
	}
	t.count.Add(int64(-n))
	s.publish()
	return n, looks
}

// giveBack gives a place back when more than the bound are taken, and reports
// whether it did. The caller then removes the entry that loses its place.
func (t *Table[V]) giveBack() bool {
	for {
		n := t.count.Load()
		if n <= t.max.Load() {
			return false
		}
		if t.count.CompareAndSwap(n, n-1) {
			return true
		}
	}
}
