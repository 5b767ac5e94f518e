package nat

import (
	"math/bits"
	"runtime"
	"sync/atomic"
)

const (
	shardsPerCPU = 4       // that two reactors seldom want one lock
	shardEntries = 1 << 14 // that replacing an index holds up inserts for less than 1 ms
	maxShards    = 256     // that reading all bounds, once per insert into a full table, stays cheap
)

// Table maps clients to entries. Any goroutine may call any method at any
// time. Times are ns of one monotonic clock of the caller's.
type Table[V any] struct {
	seed   seed
	shards []shard[V] // a power of two

	max       atomic.Int64
	_         [cacheLine]byte
	count     atomic.Int64 // entries, and places that an Insert is about to fill
	turn      atomic.Uint64
	_         [cacheLine]byte
	unreplied atomic.Int64 // entries without a reply; changes when one comes, leaves or first gets one
	_         [cacheLine]byte
}

// New returns an empty table for a bound of at least 1 entry, see
// [Table.SetMax].
func New[V any](bound int) *Table[V] {
	n := max(shardsPerCPU*runtime.GOMAXPROCS(0), bound/shardEntries)
	return newTable[V](bound, min(maxShards, 1<<bits.Len(uint(n-1))))
}

// newTable is New for a number of shards, a power of two.
func newTable[V any](bound, shards int) *Table[V] {
	t := &Table[V]{seed: newSeed(), shards: make([]shard[V], shards)}
	t.SetMax(bound)
	for i := range t.shards {
		t.shards[i].index.Store(newIndex[V](1))
		t.shards[i].unreplied = &t.unreplied
		t.shards[i].publish()
	}
	return t
}

func (t *Table[V]) hash(k Key) uint64 { return t.seed.hash(k) }

// shard returns where a key belongs, and its hash.
func (t *Table[V]) shard(k Key) (*shard[V], uint64) {
	hash := t.hash(k)
	return &t.shards[hash&uint64(len(t.shards)-1)], hash
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

// Insert adds an entry that was touched at now and ends after timeout ns
// without a touch. When the client has an entry already (another reactor was
// first), that one is e, v is not used, and inserted is false.
//
// When the table was full, victim is the entry that was removed for this one,
// the longest idle of its kind in the whole table:
//
//  1. of those that never had a reply, when it has waited for one for more
//     than 2 s, or when an eighth of the bound is such entries (a flood);
//  2. else of those that had a reply;
//  3. else of all.
//
// So the clients of a flood, spoofed ones say, take an eighth of the table from
// flows that carry both ways, and one place more for each Insert that runs at
// the same moment. Where hundreds of entries look longer idle than they are,
// because they were touched since anybody compared them, the victim is the
// longest idle of hundreds. The caller ends the victim's flow also when
// inserted is false: the other reactor may have been first only after the
// victim was gone.
func (t *Table[V]) Insert(k Key, v V, now, timeout int64) (e, victim *Entry[V], inserted bool) {
	s, hash := t.shard(k)
	fresh := &Entry[V]{Value: v, key: k, shard: s}
	fresh.touched.Store(now)

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
	t.link(fresh, hash, timeout)
	s.mu.Unlock()
	return fresh, victim, true
}

// Remove takes an entry of this table out. Of all that remove an entry (Remove,
// Expire, Evict, a full Insert), exactly one does: Remove reports whether it was
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

// SetTimeout gives an entry another timeout (ns), counted from its last touch.
// It reports whether the entry is in the table. When the timeout is shorter,
// the next Expire may be due sooner than the last one said.
func (t *Table[V]) SetTimeout(e *Entry[V], timeout int64) bool {
	e.shard.mu.Lock()
	defer e.shard.mu.Unlock()
	return e.shard.move(e, timeout, e.Replied())
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
