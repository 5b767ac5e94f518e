package nat

const (
	// evictLooks bounds the entries that are looked at for one victim. Each
	// touch costs at most one look some time later, but when a table has just
	// become full, all its entries may have been touched since anybody looked,
	// and to find the oldest among a million would stop the reactor for half a
	// second.
	evictLooks = 512

	// overdueLooks are those of them that the first hunt may use, which can end
	// without a victim and must leave some for the next.
	overdueLooks = evictLooks / 2
)

// hunt is the search for a victim of one class.
type hunt[V any] struct {
	class  class
	before int64     // takes only what was last touched before it
	looks  int       // that are left
	best   *Entry[V] // the longest idle one that was looked at, and may be taken
	at     int64     // its last touch then
}

// catch removes the longest idle entry that a hunt may take, and returns nil
// when there is none. A hunt that may take any takes it from the shards that
// hold the most; what is overdue is taken wherever it is.
func (t *Table[V]) catch(h *hunt[V]) (victim *Entry[V]) {
	for victim == nil {
		s, others := t.census[h.class].oldest(h.before, h.before == never)
		switch {
		case s < 0:
			return nil
		case h.looks > 0:
			victim = t.evictFrom(&t.shards[s], others, h)
		case h.best == nil:
			return nil
		default:
			victim = t.evictBest(h)
		}
	}
	return victim
}

// evictFrom removes the shard's longest idle entry of a class. It gives up when
// the shard's records rise above those of the others before that entry is
// known, when none is left that the hunt may take, and when it runs out of
// looks.
func (t *Table[V]) evictFrom(s *shard[V], others int64, h *hunt[V]) *Entry[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.publish()
	for ; h.looks > 0; h.looks-- {
		q := s.oldest(h.class)
		if q == nil || q.oldest() > others || q.oldest() >= h.before {
			return nil
		}
		top := q.items[0].e
		if q.settle() {
			t.unlink(top)
			return top
		}
		if at := top.touched.Load(); at < h.before && (h.best == nil || at < h.at) {
			h.best, h.at = top, at
		}
	}
	return nil
}

// evictBest removes the best entry of a hunt that ran out of looks. When it
// was removed or rose to another class meanwhile, the hunt begins anew.
func (t *Table[V]) evictBest(h *hunt[V]) *Entry[V] {
	e := h.best
	*h = hunt[V]{class: h.class, before: h.before, looks: overdueLooks}
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	if e.queue == nil || e.queue.class != h.class {
		return nil
	}
	t.unlink(e)
	e.shard.publish()
	return e
}
