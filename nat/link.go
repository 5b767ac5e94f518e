package nat

// resize replaces the index by one of n buckets. Readers go on in the old one
// until they are through.
func (t *Table[V]) resize(s *shard[V], n int) {
	old, fresh := s.index.Load(), newIndex[V](n)
	for i := range old.buckets {
		for j := range old.buckets[i].slots {
			if e := old.buckets[i].slots[j].Load(); e != nil {
				fresh.add(t.hash(e.key), e)
			}
		}
	}
	s.index.Store(fresh)
}

// link puts an entry into its shard, which has no other one of its client. The
// caller has a place reserved and holds the lock.
func (t *Table[V]) link(e *Entry[V], hash uint64, timeouts Timeouts) {
	s := e.shard
	if x := s.index.Load(); s.count == x.limit() {
		t.resize(s, 2*len(x.buckets))
	}
	s.count++
	s.queue(timeouts, waiting).push(e)
	s.publish()
	s.index.Load().add(hash, e)
}

// unlink takes an entry out of its shard. The caller holds the lock, and
// publishes.
func (t *Table[V]) unlink(e *Entry[V]) {
	s := e.shard
	e.bits.Or(uint32(flagRemoved))
	e.queue.remove(e)
	s.index.Load().drop(t.hash(e.key), e)
	s.count--
	if x := s.index.Load(); len(x.buckets) > 1 && s.count < x.limit()/shrinkPart {
		t.resize(s, len(x.buckets)/2)
	}
}
