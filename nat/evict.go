package nat

import (
	"runtime"
	"time"
)

const (
	// replyWait is how long (ns) an entry may be idle before it counts as one
	// that gets no reply. Nearly all round trips are shorter, and who asks again
	// begins anew: resolvers do after 2 to 5 s (RFC 1035, section 4.2.1;
	// resolv.conf(5): 5 s).
	replyWait = int64(2 * time.Second)

	// floodPart is the part of the table, 1/floodPart, at which entries without
	// a reply are a flood. Of the default 65,536 entries that is 8,192: 100,000
	// new clients a second, each replied to within 80 ms.
	floodPart = 8
)

// Evict removes the entry that a full Insert at now (ns) would, for a caller
// that has run out of something else than places. It returns nil when it finds
// none. A table that is not full is judged as if its entries filled it: an
// eighth of them without a reply is a flood.
func (t *Table[V]) Evict(now int64) *Entry[V] {
	e := t.evict(now)
	if e != nil {
		t.count.Add(-1)
	}
	return e
}

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
func (t *Table[V]) makeRoom(now int64) (victim *Entry[V]) {
	for {
		if victim = t.evict(now); victim != nil || t.reserve() {
			return victim
		}
		// Every place is one that another Insert is about to fill: the table is
		// smaller than the number of its reactors.
		runtime.Gosched()
	}
}

// evict removes the victim and leaves its place to the caller. It returns nil
// when the table is empty; others that change it may make it seem so.
func (t *Table[V]) evict(now int64) *Entry[V] {
	overdue := hunt[V]{before: now - replyWait, looks: overdueLooks}
	if t.flooded() {
		overdue.before = never
	}
	if e := t.catch(&overdue); e != nil {
		return e
	}
	for _, replied := range [...]bool{true, false} {
		h := hunt[V]{replied: replied, before: never, looks: evictLooks - overdueLooks + overdue.looks}
		if e := t.catch(&h); e != nil {
			return e
		}
	}
	return nil
}

// flooded reports whether the entries without a reply are a flood already, so
// that with another one they would be more than their part.
func (t *Table[V]) flooded() bool {
	return t.unreplied.Load()*floodPart >= min(t.max.Load(), t.count.Load())
}
