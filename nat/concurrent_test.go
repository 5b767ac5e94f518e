package nat

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// visit is the value of the concurrent tests: how often its entry left.
type visit struct{ left atomic.Int32 }

// crowd is a table and what several goroutines did to it.
type crowd struct {
	t        *testing.T
	table    *Table[*visit]
	now      atomic.Int64
	inserted atomic.Int64
	left     atomic.Int64
}

// leave notes that the caller removed an entry: it must be the only one, and
// the entry must not be found from here on.
func (c *crowd) leave(e *Entry[*visit]) {
	c.left.Add(1)
	if n := e.Value.left.Add(1); n != 1 {
		c.t.Errorf("entry %v left %d times", e.Key(), n)
	}
	if !e.Removed() || c.table.Lookup(e.Key()) == e {
		c.t.Errorf("entry %v is found after it was removed", e.Key())
	}
}

// reactor does random operations on clients.
func (c *crowd) reactor(seed uint64, ops, clients int) {
	r := rand.New(rand.NewPCG(seed, 1))
	for range ops {
		k, now := client(r.IntN(clients)), c.now.Add(tick)
		e := c.table.Lookup(k)
		switch op := r.IntN(32); {
		case e == nil:
			c.insert(k, now, Timeouts{(1 + r.Int64N(1000)) * tick, 1000 * tick})
		case e.Key() != k:
			c.t.Errorf("lookup of %v gives %v", k, e.Key())
		case op == 0:
			if c.table.Remove(e) {
				c.leave(e)
			}
		case op == 1:
			c.table.Expire(now, 8, c.leave)
		case op == 2:
			c.table.SetTimeouts(e, Timeouts{100 * tick, (1 + r.Int64N(1000)) * tick})
		case op == 3:
			if e := c.table.Evict(now); e != nil {
				c.leave(e)
			}
		case op == 4:
			if e := c.table.EvictOf(k, now); e != nil {
				c.leave(e)
			}
		case op < 8:
			e.TouchReply(now)
		default:
			e.Touch(now)
		}
		if n := c.table.Len(); n > c.table.Max() {
			c.t.Errorf("%d entries, the bound is %d", n, c.table.Max())
		}
	}
}

func (c *crowd) insert(k Key, now int64, timeouts Timeouts) {
	v := new(visit)
	e, victim, inserted := c.table.Insert(k, v, now, timeouts)
	if inserted {
		c.inserted.Add(1)
	}
	if inserted != (e.Value == v) || e.Key() != k {
		c.t.Errorf("insert of %v gives %v, inserted %v", k, e.Key(), inserted)
	}
	if victim != nil {
		c.leave(victim)
	}
}

// TestCrowd has every way in and out race: each entry leaves exactly once, the
// bound holds at every moment, and nothing is left at the end.
func TestCrowd(t *testing.T) {
	const reactors, ops = 8, 10_000
	for _, c := range []struct {
		name                   string
		shards, bound, clients int
	}{
		{"roomy", 4, 10_000, 2_000},
		{"full", 4, 300, 1_000},
		{"one shard", 1, 500, 600},
		{"smaller than its reactors", 2, 3, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := crowd{t: t, table: newTable[*visit](c.bound, c.shards)}
			var wg sync.WaitGroup
			for i := range uint64(reactors) {
				wg.Go(func() { w.reactor(i, ops, c.clients) })
			}
			wg.Wait()
			checkTable(t, w.table)
			if live := w.inserted.Load() - w.left.Load(); live != int64(w.table.Len()) {
				t.Errorf("%d inserted less %d left, but %d are counted", w.inserted.Load(), w.left.Load(), w.table.Len())
			}
			w.table.Expire(math.MaxInt64, math.MaxInt, w.leave)
			if w.table.Len() != 0 || w.inserted.Load() != w.left.Load() {
				t.Errorf("%d remain", w.table.Len())
			}
		})
	}
}

// TestLookupNeverMisses looks for residents without a pause while others come
// and go, so that the index grows and shrinks under the readers.
func TestLookupNeverMisses(t *testing.T) {
	const residents, visitors, rounds = 50, 5_000, 6
	tb := newTable[int](residents+visitors, 1)
	var resident [residents]*Entry[int]
	for n := range resident {
		resident[n], _ = insert(t, tb, n, 0, math.MaxInt64)
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for !done.Load() {
				for n, e := range resident {
					if tb.Lookup(client(n)) != e {
						t.Errorf("resident %d is not found", n)
						return
					}
				}
			}
		})
	}
	for now := range int64(rounds) {
		for n := range visitors {
			tb.Insert(client(residents+n), n, now, Timeouts{})
		}
		tb.Expire(now, math.MaxInt, func(*Entry[int]) {})
		if n := tb.Len(); n != residents {
			t.Errorf("%d remain, want %d", n, residents)
		}
	}
	done.Store(true)
	wg.Wait()
}

// TestSurplusRace lowers the bound under concurrent Expires: together they
// remove what is too much and no entry more.
func TestSurplusRace(t *testing.T) {
	const entries, bound = 2_000, 700
	tb := newTable[int](entries, 4)
	for n := range entries {
		insert(t, tb, n, int64(n), math.MaxInt64)
	}
	tb.SetMax(bound)
	var gone atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { tb.Expire(entries, math.MaxInt, func(*Entry[int]) { gone.Add(1) }) })
	}
	wg.Wait()
	if tb.Len() != bound || gone.Load() != entries-bound {
		t.Errorf("%d gone, %d remain, want %d", gone.Load(), tb.Len(), bound)
	}
}
