package nat

import (
	"math/bits"
	"sync/atomic"
)

const (
	slotCount  = 7 // entries per bucket: with the tags one cache line of 64 bytes
	fillLimit  = 5 // mean entries per bucket at which an index doubles: 4% of entries overflow
	shrinkPart = 8 // an index halves when it is filled to less than 1/shrinkPart of its limit

	tagBits  = 8
	tagShift = slotCount * tagBits // where the overflow count begins
	overMax  = 1<<tagBits - 1      // overflow count that no longer moves

	everySlot = 0x0001_0101_0101_0101
	everyHigh = everySlot << (tagBits - 1)
)

// bucket holds up to seven entries. Writers hold the shard's lock, readers
// nothing; tags is what publishes a change.
//
// The lower seven bytes of tags belong to the slots, 0 where a slot is empty.
// The top byte counts the entries that found this bucket full on the way to a
// later one, so a search knows where to stop, and nothing is left behind by a
// removal. At overMax it stays until the index is replaced.
type bucket[V any] struct {
	tags  atomic.Uint64
	slots [slotCount]atomic.Pointer[Entry[V]]
}

// index finds the entries of a shard by key. It has a fixed size: to grow or
// shrink, the shard publishes another one, and this one stays as it is for
// the readers that still search in it.
//
// A reader that misses is right about some moment during its search: an entry
// that is in the index all the time keeps its slot and its tag, and every
// bucket before its own keeps counting it.
type index[V any] struct {
	mask    uint64 // len(buckets)-1
	buckets []bucket[V]
}

// newIndex returns an empty index of n buckets, a power of two.
func newIndex[V any](n int) *index[V] {
	return &index[V]{mask: uint64(n - 1), buckets: make([]bucket[V], n)}
}

// limit is the number of entries beyond which the index is too full.
func (x *index[V]) limit() int { return len(x.buckets) * fillLimit }

// home returns the first bucket for a hash. The top 8 bits are the tag.
func (x *index[V]) home(hash uint64) uint64 { return hash >> 16 & x.mask }

// tagOf is never 0.
func tagOf(hash uint64) uint64 { return hash>>56 | 1<<(tagBits-1) }

// matches returns a word with the high bit of each slot's byte that may hold
// tag: all that do, and rarely one that does not.
func matches(tags, tag uint64) uint64 {
	diff := tags ^ tag*everySlot
	return (diff - everySlot) & ^diff & everyHigh
}

// slotOf returns the slot of the lowest bit that matches returned.
func slotOf(match uint64) int { return bits.TrailingZeros64(match) / tagBits }

// find returns the entry of a key, or nil.
func (x *index[V]) find(hash uint64, k Key) *Entry[V] {
	tag, at := tagOf(hash), x.home(hash)
	for range x.buckets {
		b := &x.buckets[at&x.mask]
		tags := b.tags.Load()
		for m := matches(tags, tag); m != 0; m &= m - 1 {
			if e := b.slots[slotOf(m)].Load(); e != nil && e.key == k {
				return e
			}
		}
		if tags>>tagShift == 0 {
			return nil
		}
		at++
	}
	return nil
}

// add puts an entry in. The caller holds the lock, and the index has room.
// The buckets that are full count the entry before it can be found behind
// them.
func (x *index[V]) add(hash uint64, e *Entry[V]) {
	for at := x.home(hash); ; at++ {
		b := &x.buckets[at&x.mask]
		tags := b.tags.Load()
		if free := ^tags & everyHigh; free != 0 {
			i := slotOf(free)
			b.slots[i].Store(e)
			b.tags.Store(tags | tagOf(hash)<<(i*tagBits))
			return
		}
		if tags>>tagShift < overMax {
			b.tags.Store(tags + 1<<tagShift)
		}
	}
}

// drop takes an entry out that is in. The caller holds the lock. The buckets
// on the way stop counting it only when it is gone.
func (x *index[V]) drop(hash uint64, e *Entry[V]) {
	home := x.home(hash)
	end := home
	for !x.buckets[end&x.mask].clear(hash, e) {
		end++
	}
	for at := home; at != end; at++ {
		b := &x.buckets[at&x.mask]
		if tags := b.tags.Load(); tags>>tagShift < overMax {
			b.tags.Store(tags - 1<<tagShift)
		}
	}
}

// clear empties the slot of an entry, and reports whether the bucket had it.
func (b *bucket[V]) clear(hash uint64, e *Entry[V]) bool {
	tags := b.tags.Load()
	for m := matches(tags, tagOf(hash)); m != 0; m &= m - 1 {
		if i := slotOf(m); b.slots[i].Load() == e {
			b.tags.Store(tags &^ (overMax << (i * tagBits)))
			b.slots[i].Store(nil)
			return true
		}
	}
	return false
}
