package nat

import "runtime"

// reserve takes a place within the bound, and reports whether there was one.
func (t *Table[V]) reserve() bool {
	for {
		n := t.count.Load()
		if n >= t.max.Load() {
			return false
		}
		if t.count.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// makeRoom takes a place in a full table: that of the victim, or a free one
// that has turned up, when the victim is nil.
func (t *Table[V]) makeRoom() (victim *Entry[V]) {
	for {
		if victim = t.evict(); victim != nil || t.reserve() {
			return victim
		}
		// Every place is one that another Insert is about to fill: the table is
		// smaller than the number of its reactors.
		runtime.Gosched()
	}
}

// evict removes the victim and leaves its place to the caller. It returns nil
// when the table is empty.
func (t *Table[V]) evict() *Entry[V] {
	for _, replied := range [...]bool{false, true} {
		for {
			s, others := t.oldest(replied)
			if s == nil {
				break
			}
			if e := t.evictFrom(s, replied, others); e != nil {
				return e
			}
		}
	}
	return nil
}

// oldest returns the shard with the lowest record of a class, nil when no
// shard has any, and the lowest record of the others.
func (t *Table[V]) oldest(replied bool) (shard *shard[V], others int64) {
	lowest := int64(never)
	others = never
	for i := range t.shards {
		s := &t.shards[i]
		switch at := s.bounds.oldest(replied).Load(); {
		case at < lowest:
			shard, lowest, others = s, at, lowest
		case at < others:
			others = at
		}
	}
	return shard, others
}

// evictFrom removes the shard's longest idle entry of a class, unless its
// records rise above those of the others before that entry is known.
func (t *Table[V]) evictFrom(s *shard[V], replied bool, others int64) *Entry[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.publish()
	for {
		q := s.oldest(replied)
		if q == nil || q.oldest() > others {
			return nil
		}
		if top := q.items[0].e; s.settle(q) {
			t.unlink(s, t.hash(top.key), top)
			return top
		}
	}
}
