package nat

import (
	"math"
	"testing"
	"time"
)

// TestClassOfTalk has datagrams come, each so many seconds after the first.
func TestClassOfTalk(t *testing.T) {
	type datagram struct {
		at    float64 // s
		reply bool
	}
	q := func(at float64) datagram { return datagram{at, false} }
	a := func(at float64) datagram { return datagram{at, true} }
	for _, c := range []struct {
		name string
		talk []datagram
		want class
	}{
		{"nothing comes back", []datagram{q(0), q(5), q(40)}, waiting},
		{"a lookup", []datagram{q(0), a(0.1)}, answered},
		{"two questions at once", []datagram{q(0), q(0), a(0.1), a(0.2)}, answered},
		{"a late answer", []datagram{q(0), q(20), a(20)}, answered},
		{"two questions in turn", []datagram{q(0), a(0.1), q(0.1), a(0.2)}, repeated},
		{"a retry", []datagram{q(0), a(0.1), q(5), q(10), a(10)}, repeated},
		{"a registration", []datagram{q(0), a(0.1), q(0.3), a(0.4), q(0.6), a(0.7)}, conversed},
		{"a busy minute's begin", []datagram{q(0), a(0), q(1), a(1), q(2), a(2), q(14), a(14)}, conversed},
		{"a keepalive", []datagram{q(0), a(0.1), q(20)}, lasting},
		{"a call long after", []datagram{q(0), a(0.1), a(60)}, lasting},
		{"clocks apart", []datagram{q(1), a(1), a(0.5), q(0.4)}, answered},
	} {
		// The second start is where the ticks that a state can tell apart begin anew.
		for _, start := range []int64{0, 1<<(32-sinceShift+tickShift) - int64(time.Second)} {
			tb := New[int](1)
			e, _ := insert(t, tb, 0, start, math.MaxInt64)
			for _, d := range c.talk {
				if at := start + int64(d.at*float64(time.Second)); d.reply {
					e.TouchReply(at)
				} else {
					e.Touch(at)
				}
			}
			if got := e.state().class(); got != c.want {
				t.Errorf("%s, from %d: class %d, want %d", c.name, start, got, c.want)
			}
			checkTable(t, tb)
		}
	}
}

func TestTimeoutOfClass(t *testing.T) {
	tb := New[int](10)
	e, _, _ := tb.Insert(client(0), 0, 0, Timeouts{Brief: 30, Full: 300})
	var gone int
	expire := func(now, want int64, left int) {
		t.Helper()
		next := tb.Expire(now, math.MaxInt, func(*Entry[int]) { gone++ })
		if next != want || tb.Len() != left {
			t.Errorf("at %d: next %d, want %d; %d remain", now, next, want, tb.Len())
		}
	}
	expire(29, 30, 1)
	e.TouchReply(5)
	e.Touch(6)
	e.TouchReply(7) // the second exchange
	expire(30, 37, 1)
	e.Touch(8)
	e.TouchReply(9) // the third
	expire(37, 309, 1)
	tb.SetTimeouts(e, Timeouts{Brief: 5000, Full: 100}) // Full bounds Brief
	expire(108, 109, 1)
	tb.Insert(client(1), 1, 108, Timeouts{Brief: 5000, Full: 100})
	expire(207, 208, 1)
	expire(208, math.MaxInt64, 0)
}

// talk has a client of that address and port make exchanges, a third of a
// second apart; it returns its entry, and what made room for it.
func talk(tb *Table[int], address, port, exchanges int, start int64) (e, victim *Entry[int]) {
	e, victim, _ = tb.Insert(client(address<<8|port&0xff), port, start, Timeouts{math.MaxInt64, math.MaxInt64})
	for n := range exchanges {
		at := start + int64(n)*int64(time.Second)/3
		e.Touch(at)
		e.TouchReply(at)
	}
	return e, victim
}

// TestLookupsEndNoCall has a phone register and be silent, while somebody at
// its address, or at many others, makes far more lookups than the table holds.
func TestLookupsEndNoCall(t *testing.T) {
	for _, c := range []struct {
		name                string
		phone, lookup, many int
		keepalive           bool
	}{
		{"one exchange each", 2, 1, 1, false},
		{"two exchanges each", 4, 2, 1, false},
		{"three exchanges each, a phone that keeps alive", 1, 3, 1, true},
		{"one exchange each, many clients", 2, 1, 50, false},
		{"a flood, many clients", 2, 0, 50, false},
		{"a flood, a phone that keeps alive", 1, 0, 1, true},
	} {
		tb := New[int](1000)
		phone, _ := talk(tb, 1, 250, c.phone, 0)
		now := int64(time.Second)
		if c.keepalive {
			now += int64(20 * time.Second)
			phone.Touch(now)
		}
		for n := range 20_000 {
			now += int64(5 * time.Millisecond)
			key := client((1+n%c.many)<<8 | n%250)
			key.inbound = uint16(n) // or there are too few ports
			e, _, _ := tb.Insert(key, n, now, Timeouts{math.MaxInt64, math.MaxInt64})
			for range c.lookup {
				e.Touch(now)
				e.TouchReply(now)
			}
		}
		if phone.Removed() {
			t.Errorf("%s: the phone's mapping is gone", c.name)
		}
		checkTable(t, tb)
	}
}

// neighbour returns an address whose shard is not that of address 0.
func neighbour(tb *Table[int]) int {
	shard, _ := tb.shard(client(0))
	for n := 1; ; n++ {
		if other, _ := tb.shard(client(n << 8)); other != shard {
			return n
		}
	}
}

// TestBurstTakesItsOwn has one client fill the table, whatever it does, beside
// another that has a few idle flows of the same class.
func TestBurstTakesItsOwn(t *testing.T) {
	const entries, few = 600, 50
	for exchanges := range int(lasting) {
		tb := New[int](entries)
		other := neighbour(tb)
		var idle [few]*Entry[int]
		for n := range idle {
			idle[n], _ = talk(tb, 0, n, exchanges, 0)
		}
		now := int64(time.Second)
		for n := range 10 * entries {
			now += int64(time.Microsecond)
			key := client(other << 8)
			key.inbound = uint16(n)
			e, victim, _ := tb.Insert(key, n, now, Timeouts{math.MaxInt64, math.MaxInt64})
			for range exchanges {
				e.Touch(now)
				e.TouchReply(now)
			}
			if victim != nil && (victim.key.hi != key.hi || victim.key.lo != key.lo || victim.Value != n-entries+few) {
				t.Fatalf("%d exchanges: flow %d takes the place of %d of %v, want its client's oldest",
					exchanges, n, victim.Value, victim.Key().Client())
			}
		}
		for n, e := range idle {
			if e.Removed() {
				t.Errorf("%d exchanges: flow %d of the other client is gone", exchanges, n)
			}
		}
		checkTable(t, tb)
	}
}

// TestBurstOfQuestions has one client, in a table full of others' idle flows,
// ask more than a 64th of it at once, and more than any of them has: then it
// gives up its own.
func TestBurstOfQuestions(t *testing.T) {
	const clients, each, burst = 100, 10, 100
	for _, c := range []struct{ exchanges, lost int }{{1, 40}, {2, 40}, {3, 16}} {
		tb := New[int](clients * each)
		for n := range clients * each {
			talk(tb, n%clients, n/clients, c.exchanges, int64(n))
		}
		now := int64(time.Second)
		for n := range burst {
			now++
			insert(t, tb, clients<<8|n, now, math.MaxInt64)
		}
		lost := clients * each
		tb.Range(func(e *Entry[int]) bool {
			if e.Replied() {
				lost--
			}
			return true
		})
		if lost > c.lost || lost < burstLeast {
			t.Errorf("%d exchanges: %d of the idle flows are gone", c.exchanges, lost)
		}
		checkTable(t, tb)
	}
}
