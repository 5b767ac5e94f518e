package nat

import (
	"math"
	"net/netip"
	"testing"
)

// client returns the key of the n-th test client.
func client(n int) Key {
	a := netip.AddrFrom4([4]byte{10, byte(n >> 24), byte(n >> 16), byte(n >> 8)})
	return KeyOf(netip.AddrPortFrom(a, 1024+uint16(n&0xff)), 0, 0)
}

// insert adds client n and fails the test unless that is news.
func insert(t *testing.T, tb *Table[int], n int, now, timeout int64) (e, victim *Entry[int]) {
	t.Helper()
	e, victim, inserted := tb.Insert(client(n), n, now, Timeouts{timeout, timeout})
	if !inserted || e.Value != n || e.Key() != client(n) {
		t.Fatalf("client %d: entry %v, inserted %v", n, e, inserted)
	}
	return e, victim
}

func TestInsertLookupRemove(t *testing.T) {
	tb := New[int](10)
	e, _ := insert(t, tb, 1, 5, 100)
	if got := tb.Lookup(client(1)); got != e {
		t.Errorf("lookup gives %p, want %p", got, e)
	}
	if again, victim, inserted := tb.Insert(client(1), 9, 6, Timeouts{100, 100}); again != e || victim != nil || inserted {
		t.Errorf("second insert gives %p, %p, %v", again, victim, inserted)
	}
	if tb.Lookup(client(2)) != nil {
		t.Error("a client that was never inserted is found")
	}
	if e.Removed() || !tb.Remove(e) || tb.Remove(e) || !e.Removed() {
		t.Error("an entry leaves other than once")
	}
	if tb.Lookup(client(1)) != nil || tb.Len() != 0 {
		t.Error("a removed entry is found or counted")
	}
	if tb.SetTimeouts(e, Timeouts{1, 1}) {
		t.Error("a removed entry takes a timeout")
	}
}

func TestTouch(t *testing.T) {
	tb := New[int](1)
	e, _ := insert(t, tb, 1, 50, 100)
	for _, c := range []struct{ touch, now, idle int64 }{
		{40, 50, 0}, {60, 70, 10}, {55, 70, 10}, {90, 80, 0},
	} {
		e.Touch(c.touch)
		if got := e.Idle(c.now); got != c.idle {
			t.Errorf("after a touch at %d: idle %d at %d, want %d", c.touch, got, c.now, c.idle)
		}
	}
	if e.Replied() {
		t.Error("replied without a reply")
	}
	if e.TouchReply(100); !e.Replied() || e.Idle(101) != 1 {
		t.Error("a reply is no touch, or not noted")
	}
}

func TestExpireTimes(t *testing.T) {
	tb := New[int](10)
	var gone []int
	expire := func(now int64, budget int) int64 {
		gone = gone[:0]
		return tb.Expire(now, budget, func(e *Entry[int]) { gone = append(gone, e.Value) })
	}
	if next := expire(math.MaxInt64, 9); next != math.MaxInt64 {
		t.Errorf("empty table: next is %d", next)
	}
	e, _ := insert(t, tb, 1, 0, 100)
	forever, _ := insert(t, tb, 2, 0, math.MaxInt64)
	if next := expire(99, 9); next != 100 || len(gone) != 0 {
		t.Errorf("at 99: next %d, gone %v", next, gone)
	}
	e.Touch(30)
	if next := expire(129, 9); next != 130 || len(gone) != 0 {
		t.Errorf("at 129: next %d, gone %v", next, gone)
	}
	e.Touch(31)
	if next := expire(130, 0); next != 130 || len(gone) != 0 {
		t.Errorf("at 130 without budget: next %d, gone %v", next, gone)
	}
	e.TouchReply(31)
	if next := expire(131, 9); next != math.MaxInt64 || len(gone) != 1 || gone[0] != 1 {
		t.Errorf("at 131: next %d, gone %v", next, gone)
	}
	forever.Touch(1 << 40)
	if expire(math.MaxInt64, 9); len(gone) != 0 {
		t.Errorf("an entry without an end is gone: %v", gone)
	}
	tb.SetTimeouts(forever, Timeouts{-1, -1})
	if expire(1<<40, 9); len(gone) != 1 || tb.Len() != 0 {
		t.Errorf("a shorter timeout does not hold for a running entry: %v", gone)
	}
}
