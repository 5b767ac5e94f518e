package nat

import (
	"math"
	"testing"
	"time"
)

// established returns a table of that many entries and no place more. All have
// replied, and were idle for a minute or more at the time that it returns:
// client n for n ns less than client 0.
func established(t *testing.T, entries int) (tb *Table[int], now int64) {
	t.Helper()
	tb = New[int](entries)
	for n := range entries {
		e, _ := insert(t, tb, n, int64(n), math.MaxInt64)
		e.TouchReply(int64(n))
	}
	return tb, int64(time.Minute) + int64(entries)
}

// A small table is flooded by any entry without a reply.
func TestVictimOfFlood(t *testing.T) {
	tb := New[int](4)
	var e [8]*Entry[int]
	for n := range 4 {
		e[n], _ = insert(t, tb, n, int64(n), int64(1000-n))
	}
	e[0].TouchReply(4)
	e[2].TouchReply(5)
	e[1].Touch(20)
	for _, c := range []struct {
		insert, victim int
		reply          bool
	}{
		{4, 3, true}, // of the unreplied 1 and 3 the longest idle
		{5, 1, true}, // the unreplied one, though 0 and 2 are longer idle
		{6, 0, false},
		{7, 6, true}, // unreplied, though the newest
	} {
		var victim *Entry[int]
		now := int64(30 + c.insert)
		e[c.insert], victim = insert(t, tb, c.insert, now, 1000)
		if victim != e[c.victim] || !victim.Removed() {
			t.Fatalf("insert of %d gives up %v, want %d", c.insert, victim, c.victim)
		}
		if c.reply {
			e[c.insert].TouchReply(now)
		}
	}
}

// TestVictimWaits asserts the order around the end of the time that an entry
// has for its first reply.
func TestVictimWaits(t *testing.T) {
	const entries = 100
	tb, start := established(t, entries)
	fresh, victim := insert(t, tb, 1000, start, math.MaxInt64)
	next, _ := insert(t, tb, 1001, start+1, math.MaxInt64)
	if victim.Value != 0 {
		t.Errorf("client %d makes room, want the longest idle", victim.Value)
	}
	if victim := tb.Evict(start + replyWait); !victim.Replied() {
		t.Error("an entry goes before it had its time for a reply")
	}
	if victim := tb.Evict(start + replyWait + 1); victim != fresh {
		t.Errorf("client %d goes instead of the overdue one", victim.Value)
	}
	next.Touch(start + replyWait)
	if victim := tb.Evict(start + 2*replyWait); !victim.Replied() {
		t.Error("an entry goes that was touched since it seemed overdue")
	}
}

// TestOpenAtOnce opens a hundred sessions at once, and then one each ms for
// some seconds, in a full table of idle ones: each lives until its reply.
func TestOpenAtOnce(t *testing.T) {
	const entries, burst, roundTrip, seconds = 1024, 100, 20, 5
	tb, now := established(t, entries)
	var waiting []*Entry[int]
	open := func() {
		e, victim := insert(t, tb, entries+len(waiting), now, math.MaxInt64)
		if victim == nil || !victim.Replied() {
			t.Fatalf("session %d takes the place of %v", len(waiting), victim)
		}
		waiting = append(waiting, e)
	}
	reply := func(e *Entry[int]) {
		if e.Removed() {
			t.Fatalf("session %d ends before its reply", e.Value)
		}
		e.TouchReply(now)
	}
	for range burst {
		open()
	}
	now += roundTrip * int64(time.Millisecond)
	for _, e := range waiting {
		reply(e)
	}
	for ms := range seconds * 1000 {
		now += int64(time.Millisecond)
		open()
		if ms >= roundTrip {
			reply(waiting[burst+ms-roundTrip])
		}
	}
	checkTable(t, tb)
}

// TestFlood has many clients come that are never replied to: they take an
// eighth of the table, and leave no more than that to new flows which are
// replied to.
func TestFlood(t *testing.T) {
	for _, pace := range []time.Duration{0, time.Microsecond, 10 * time.Millisecond} {
		const entries, flood = 1024, 10_000
		tb, now := established(t, entries)
		for n := range flood {
			now += int64(pace)
			insert(t, tb, entries+n, now, math.MaxInt64)
		}
		var replied int
		tb.Range(func(e *Entry[int]) bool {
			if e.Replied() {
				replied++
			}
			return true
		})
		if replied < entries-entries/floodPart || tb.Len() != entries {
			t.Errorf("one each %v: %d of %d entries are left that had replied", pace, replied, tb.Len())
		}
		e, victim := insert(t, tb, entries+flood, now, math.MaxInt64)
		if e.TouchReply(now); victim.Replied() || e.Removed() {
			t.Errorf("one each %v: %v makes room in a flood", pace, victim)
		}
		checkTable(t, tb)
	}
}

func TestEvict(t *testing.T) {
	tb := New[int](1000)
	if e := tb.Evict(0); e != nil {
		t.Errorf("an empty table gives up %v", e)
	}
	for n := range 17 {
		e, _ := insert(t, tb, n, int64(n), math.MaxInt64)
		if n < 14 {
			e.TouchReply(int64(n))
		}
	}
	// Of 17 to 8 entries, two are an eighth, though the bound is far away.
	for i, want := range []int{14, 15, 0, 1, 2, 3, 4, 5, 6, 16, 7, 8} {
		e := tb.Evict(100)
		if e == nil || e.Value != want || !e.Removed() || tb.Remove(e) || tb.Len() != 16-i {
			t.Fatalf("%v is evicted, want client %d; %d remain", e, want, tb.Len())
		}
	}
	checkTable(t, tb)
}

// TestSurplusGoesInOrder lowers the bound in a flood: the entries without a
// reply go, down to an eighth of the new bound, and then idle ones.
func TestSurplusGoesInOrder(t *testing.T) {
	const entries, bound = 100, 40
	tb := New[int](entries)
	for n := range entries {
		e, _ := insert(t, tb, n, int64(n), math.MaxInt64)
		if n%2 == 0 {
			e.TouchReply(int64(n))
		}
	}
	tb.SetMax(bound)
	var gone []*Entry[int]
	tb.Expire(entries, math.MaxInt, func(e *Entry[int]) { gone = append(gone, e) })
	for i, e := range gone {
		odd, even := 2*i+1, 2*(i-entries/2+bound/floodPart-1)
		if flood := i <= entries/2-bound/floodPart; flood && e.Value != odd || !flood && e.Value != even {
			t.Errorf("client %d goes at place %d", e.Value, i)
		}
	}
	if len(gone) != entries-bound || tb.Len() != bound {
		t.Errorf("%d gone, %d remain", len(gone), tb.Len())
	}
}

// After a burst of touches no look may take long, and yet the victim is one
// that is idle for long, of the right kind.
func TestVictimAfterBurst(t *testing.T) {
	const entries, late = 10 * evictLooks, 2 * replyWait
	for _, c := range []struct {
		unreplied int // the part that never had a reply, 1/unreplied; 0 none
		rank      int // the victim is older than all but entries/rank
	}{{0, 100}, {10, 20}} {
		for shards := 1; shards <= 16; shards *= 4 {
			tb := newTable[int](entries, shards)
			for n := range entries {
				e, _ := insert(t, tb, n, 0, math.MaxInt64)
				if c.unreplied == 0 || n%c.unreplied != 0 {
					e.TouchReply(1)
				}
				e.Touch(late + int64(n*7919%entries))
			}
			_, victim := insert(t, tb, entries, late+entries+2, math.MaxInt64)
			var looked, older int
			tb.Range(func(e *Entry[int]) bool {
				if e.queue.items[e.place].at == e.touched.Load() {
					looked++
				}
				if e.Replied() && e.touched.Load() < victim.touched.Load() {
					older++
				}
				return true
			})
			if looked > evictLooks+1 || older > entries/c.rank || !victim.Replied() {
				t.Errorf("%+v, %d shards: %d looks, %d of %d are longer idle than the victim %v",
					c, shards, looked, older, entries, victim)
			}
		}
	}
}
