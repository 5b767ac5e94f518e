package nat

import "runtime"

// evictLooks bounds the entries that are looked at for one victim. Each touch
// costs at most one look some time later, but when a table has just become
// full, all its entries may have been touched since anybody looked, and to
// find the oldest among a million would stop the reactor for half a second.
const evictLooks = 512

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
func (t *Table[V]) evict() (victim *Entry[V]) {
	for _, replied := range [...]bool{false, true} {
		h := hunt[V]{replied: replied}
		for {
			s, others := t.oldest(replied)
			if s == nil {
				break
			}
			if h.looks == evictLooks {
				victim = t.evictBest(&h)
			} else {
				victim = t.evictFrom(s, others, &h)
			}
			if victim != nil {
				return victim
			}
		}
	}
	return nil
}

// hunt is the search for a victim of one class.
type hunt[V any] struct {
	replied bool
	looks   int
	best    *Entry[V] // the longest idle one that was looked at
	at      int64     // its last touch then
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

// evictFrom removes the shard's longest idle entry of a class. It gives up when
// the shard's records rise above those of the others before that entry is
// known, and when it runs out of looks.
func (t *Table[V]) evictFrom(s *shard[V], others int64, h *hunt[V]) *Entry[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.publish()
	for ; h.looks < evictLooks; h.looks++ {
		q := s.oldest(h.replied)
		if q == nil || q.oldest() > others {
			return nil
		}
		top := q.items[0].e
		if q.settle() {
			t.unlink(top)
			return top
		}
		if at := top.touched.Load(); h.best == nil || at < h.at {
			h.best, h.at = top, at
		}
	}
	return nil
}

// evictBest removes the best entry of a hunt that ran out of looks. When it
// was removed or replied to meanwhile, the hunt begins anew.
func (t *Table[V]) evictBest(h *hunt[V]) *Entry[V] {
	e := h.best
	*h = hunt[V]{replied: h.replied}
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	if e.queue == nil || e.queue.replied != h.replied {
		return nil
	}
	t.unlink(e)
	e.shard.publish()
	return e
}
