package nat

import "sync/atomic"

// shardCount is a compromise: a client shares its shard, and so what it has to
// give up, with one in that many others, and an insert into a full table reads
// what each shard has published.
const shardCount = 256

// Table maps clients to entries. Any goroutine may call any method at any
// time. Times are ns of one monotonic clock of the caller's.
type Table[V any] struct {
	seed   seed
	shards []shard[V] // a power of two
	census [classes]census
	due    []atomic.Int64 // by shard: the first end of an entry by its record

	max   atomic.Int64
	_     [cacheLine]byte
	count atomic.Int64 // entries, and places that an Insert is about to fill
	turn  atomic.Uint64
	_     [cacheLine]byte
}

// New returns an empty table for a bound of at least 1 entry, see
// [Table.SetMax].
func New[V any](bound int) *Table[V] { return newTable[V](bound, shardCount) }

// newTable is New for a number of shards, a power of two.
func newTable[V any](bound, shards int) *Table[V] {
	t := &Table[V]{seed: newSeed(), shards: make([]shard[V], shards), due: make([]atomic.Int64, shards)}
	t.SetMax(bound)
	for c := range t.census {
		t.census[c].init(shards)
	}
	for i := range t.shards {
		s := &t.shards[i]
		s.table, s.number = t, i
		s.index.Store(newIndex[V](1))
		s.publish()
	}
	return t
}

func (t *Table[V]) hash(k Key) uint64 { return t.seed.hash(k) }

// shard returns where a key belongs, and its hash. All entries of an address
// belong to one shard.
func (t *Table[V]) shard(k Key) (*shard[V], uint64) {
	return &t.shards[t.seed.address(k)&uint64(len(t.shards)-1)], t.hash(k)
}

// Lookup returns the entry of a client, or nil. It takes no lock and allocates
// nothing. An entry that is due is found until Expire removes it, and a touch
// before that keeps it.
func (t *Table[V]) Lookup(k Key) *Entry[V] {
	s, hash := t.shard(k)
	e := s.index.Load().find(hash, k)
	if e == nil || e.Removed() {
		return nil
	}
	return e
}

// Insert adds an entry that was touched at now and ends after its timeout
// without a touch. When the client has an entry already (another reactor was
// first), that one is e, v is not used, and inserted is false.
//
// When the table was full, victim is the entry that was removed for this one:
// of the first of these kinds that there is any of, the longest idle one of the
// clients that hold the most of its kind:
//
//  1. those that never had a reply, when they have waited for one for more
//     than 2 s (then of all clients), or when an eighth of the bound is such
//     entries (a flood);
//  2. those of one exchange, then of two: a question and its answer;
//  3. those of three or more exchanges within 15 s after the first reply;
//  4. those that carried datagrams for longer;
//  5. all.
//
// But before an entry of the kinds 2 to 4 goes, one without a reply does when
// some client waits for more replies than any has entries of that kind, and for
// a 64th of the bound; before one of the kinds 3 and 4 also when all clients
// together wait for as many.
//
// So the clients of a flood, spoofed ones say, take an eighth of the table from
// questions and answers and a 64th from flows that talk, and one place more for
// each Insert that runs at the same moment. "The most" is approximate: clients
// whose addresses fall to one shard, one in 256, are taken for one, and who
// lacks an eighth and 8 entries counts as equal. Where hundreds of entries look
// longer idle than they are, because they were touched since anybody compared
// them, the victim is the longest idle of hundreds. The caller ends the victim's
// flow also when inserted is false: the other reactor may have been first only
// after the victim was gone.
func (t *Table[V]) Insert(k Key, v V, now int64, timeouts Timeouts) (e, victim *Entry[V], inserted bool) {
	s, hash := t.shard(k)
	fresh := &Entry[V]{Value: v, key: k, shard: s}
	fresh.touched.Store(now)
	fresh.bits.Store(uint32(flagAsked))

	s.mu.Lock()
	if e = s.index.Load().find(hash, k); e != nil {
		s.mu.Unlock()
		return e, nil, false
	}
	if !t.reserve() {
		s.mu.Unlock()
		victim = t.makeRoom(now)
		s.mu.Lock()
		if e = s.index.Load().find(hash, k); e != nil {
			s.mu.Unlock()
			t.count.Add(-1)
			return e, victim, false
		}
	}
	t.link(fresh, hash, timeouts)
	s.mu.Unlock()
	return fresh, victim, true
}

// Remove takes an entry of this table out. Of all that remove an entry (Remove,
// Expire, Evict, EvictOf, a full Insert), exactly one does: Remove reports whether it was
// this call.
func (t *Table[V]) Remove(e *Entry[V]) bool {
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	if e.queue == nil {
		return false
	}
	t.unlink(e)
	e.shard.publish()
	t.count.Add(-1)
	return true
}

// SetTimeouts gives an entry other timeouts. It reports whether the entry is in
// the table. When its timeout is shorter than before, the next Expire may be due
// sooner than the last one said.
func (t *Table[V]) SetTimeouts(e *Entry[V], timeouts Timeouts) bool {
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	return e.queue != nil && e.shard.move(e, timeouts, e.queue.class)
}

// Len returns the number of entries, with those that an Insert is just adding.
func (t *Table[V]) Len() int { return int(t.count.Load()) }

// Max returns the bound.
func (t *Table[V]) Max() int { return int(t.max.Load()) }

// SetMax sets the bound, at least 1. What the table holds beyond a lower one,
// the next calls of Expire remove.
func (t *Table[V]) SetMax(n int) { t.max.Store(int64(max(1, n))) }

// Range calls fn with each entry until it returns false. An entry that is in
// the table all the while is seen once; one that comes or goes meanwhile, at
// most once. No lock is held.
func (t *Table[V]) Range(fn func(*Entry[V]) bool) {
	for i := range t.shards {
		buckets := t.shards[i].index.Load().buckets
		for b := range buckets {
			for j := range buckets[b].slots {
				if e := buckets[b].slots[j].Load(); e != nil && !e.Removed() && !fn(e) {
					return
				}
			}
		}
	}
}
