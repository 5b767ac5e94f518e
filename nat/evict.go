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

	// burstPart is the part at which they are more than a client's questions of a
	// moment, and no longer a reason to end what has talked: of the default table
	// 1,024, or 12,000 new clients a second, each replied to within 80 ms. Where
	// the table is small, the few names of one web page are no burst.
	burstPart  = 64
	burstLeast = 16
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
	overdue := hunt[V]{class: waiting, before: now - replyWait, looks: overdueLooks}
	if t.waits() >= t.part(floodPart, 1) {
		overdue.before = never
	}
	if e := t.catch(&overdue); e != nil {
		return e
	}
	looks := evictLooks - overdueLooks + overdue.looks
	for c := answered; c < classes; c++ {
		if t.census[c].total.Load() == 0 {
			continue
		}
		h := hunt[V]{class: c, before: never, looks: looks}
		if t.burst(c) {
			h.class = waiting
		}
		if e := t.catch(&h); e != nil {
			return e
		}
	}
	return t.catch(&hunt[V]{class: waiting, before: never, looks: looks})
}

// burst reports whether entries that wait for their first reply must make room
// for each other before any of a class does: when one shard has so many of them
// that they are one client's burst, and more than any has of the class; and,
// where those of the class have talked, when there are so many in all.
func (t *Table[V]) burst(c class) bool {
	few := t.part(burstPart, burstLeast)
	if t.waits() < few {
		return false
	}
	own := t.census[waiting].highest()
	return c >= conversed || int64(own) >= few && own > t.census[c].highest()
}

// waits returns the number of entries without a reply.
func (t *Table[V]) waits() int64 { return t.census[waiting].total.Load() }

// part returns 1/n of the bound, or of what is in the table if that is less,
// rounded up, but not less than least.
func (t *Table[V]) part(n, least int64) int64 {
	return max(least, (min(t.max.Load(), t.count.Load())+n-1)/n)
}
