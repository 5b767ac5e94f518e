package nat

import (
	"hash/maphash"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const million = 1_000_000

var forever = Timeouts{math.MaxInt64, math.MaxInt64}

func TestNoAllocations(t *testing.T) {
	tb := New[int](100)
	e, _ := insert(t, tb, 1, 0, 100)
	hit, miss, now := client(1), client(2), int64(0)
	for name, fn := range map[string]func(){
		"hit":    func() { tb.Lookup(hit) },
		"miss":   func() { tb.Lookup(miss) },
		"touch":  func() { now++; e.Touch(now) },
		"reply":  func() { now++; e.TouchReply(now) },
		"expire": func() { tb.Expire(0, 10, nil) },
	} {
		if n := testing.AllocsPerRun(1000, fn); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

// flow stands for what a rival would keep per client, to find out who is idle.
type flow struct{ touched atomic.Int64 }

func (f *flow) touch(now int64) {
	if f.touched.Load() < now {
		f.touched.Store(now)
	}
}

// lockedMap is the plain way to share a map: shards of a map and a mutex.
type lockedMap struct {
	seed   maphash.Seed
	shards [64]struct {
		sync.RWMutex
		m map[Key]*flow
		_ [cacheLine - 32]byte
	}
}

func newLockedMap() *lockedMap {
	l := &lockedMap{seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].m = map[Key]*flow{}
	}
	return l
}

func (l *lockedMap) lookup(k Key) *flow {
	s := &l.shards[maphash.Comparable(l.seed, k)%64]
	s.RLock()
	f := s.m[k]
	s.RUnlock()
	return f
}

func (l *lockedMap) insert(k Key, f *flow) {
	s := &l.shards[maphash.Comparable(l.seed, k)%64]
	s.Lock()
	s.m[k] = f
	s.Unlock()
}

// contenders are the ways to map a client, each with room for n. look finds a
// client's flow and touches it, as each datagram does. Only nat expires, counts
// and bounds its entries on insert.
var contenders = []struct {
	name string
	make func(n int) (look func(Key), insert func(Key))
}{
	{"nat", func(n int) (func(Key), func(Key)) {
		tb := New[*flow](n)
		look := func(k Key) {
			if e := tb.Lookup(k); e != nil {
				e.Touch(1)
			}
		}
		return look, func(k Key) { tb.Insert(k, nil, 1, forever) }
	}},
	{"sync.Map", func(int) (func(Key), func(Key)) {
		var m sync.Map
		look := func(k Key) {
			if f, ok := m.Load(k); ok {
				f.(*flow).touch(1)
			}
		}
		return look, func(k Key) { m.LoadOrStore(k, new(flow)) }
	}},
	{"locked", func(int) (func(Key), func(Key)) {
		m := newLockedMap()
		look := func(k Key) {
			if f := m.lookup(k); f != nil {
				f.touch(1)
			}
		}
		return look, func(k Key) { m.insert(k, new(flow)) }
	}},
}

// scatter visits 0..n-1 (n a power of ten) in an order that caches can't guess.
func scatter(i, n int) int { return i * 7_368_787 % n }

func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1_000, million} {
		keys := make([]Key, 2*n)
		for i := range keys {
			keys[i] = client(scatter(i%n, n) + i/n*n)
		}
		for _, c := range contenders {
			look, insert := c.make(n)
			for i := range n {
				insert(client(i))
			}
			runtime.GC()
			for _, side := range []struct {
				name string
				keys []Key
			}{{"hit", keys[:n]}, {"miss", keys[n:]}} {
				name := side.name + "/" + map[bool]string{true: "million", false: "thousand"}[n == million] + "/" + c.name
				b.Run("single/"+name, func(b *testing.B) {
					for i := 0; b.Loop(); i++ {
						look(side.keys[i%n])
					}
				})
				b.Run("parallel/"+name, func(b *testing.B) {
					var start atomic.Int64
					b.RunParallel(func(pb *testing.PB) {
						for i := int(start.Add(int64(n / 3))); pb.Next(); i++ {
							look(side.keys[i%n])
						}
					})
				})
			}
		}
	}
}

// BenchmarkInsert fills from nothing to a million; an op is one insert.
func BenchmarkInsert(b *testing.B) {
	for _, c := range contenders {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			_, insert := c.make(million)
			for i := range b.N {
				if i%million == 0 {
					b.StopTimer()
					_, insert = c.make(million)
					runtime.GC()
					b.StartTimer()
				}
				insert(client(i))
			}
		})
	}
}

// BenchmarkInsertFull inserts into a full table; an op is an insert and the
// choice and removal of a victim. In "flood" nobody replies. In "busy" every
// entry has replied, and each op also touches ten entries, so that records go
// stale as they do in life.
func BenchmarkInsertFull(b *testing.B) {
	for _, n := range []int{65_536, million} {
		b.Run(map[bool]string{true: "million", false: "65536"}[n == million], func(b *testing.B) {
			fill := func() (*Table[*flow], []*Entry[*flow]) {
				tb, entries := New[*flow](n), make([]*Entry[*flow], n)
				for i := range n {
					entries[i], _, _ = tb.Insert(client(i), nil, int64(i), forever)
				}
				return tb, entries
			}
			b.Run("flood", func(b *testing.B) {
				tb, _ := fill()
				for i := n; b.Loop(); i++ {
					tb.Insert(client(i), nil, int64(i), forever)
				}
			})
			b.Run("busy", func(b *testing.B) {
				tb, entries := fill()
				for i := n; b.Loop(); i++ {
					now := int64(i)
					for j := range 10 {
						entries[scatter(10*i+j, n)%n].TouchReply(now)
					}
					e, _, _ := tb.Insert(client(i), nil, now, forever)
					e.TouchReply(now)
					entries[i%n] = e
				}
			})
		})
	}
}

// BenchmarkInsertAfterBurst inserts into a full table whose entries were all
// touched since the last insert; the figures are of the insert alone.
func BenchmarkInsertAfterBurst(b *testing.B) {
	for _, n := range []int{65_536, million} {
		b.Run(map[bool]string{true: "million", false: "65536"}[n == million], func(b *testing.B) {
			tb := New[*flow](n)
			for i := range n {
				tb.Insert(client(i), nil, 0, forever)
			}
			var sum, worst time.Duration
			now := int64(n)
			for i := range b.N {
				tb.Range(func(e *Entry[*flow]) bool { now++; e.TouchReply(now); return true })
				start := time.Now()
				e, _, _ := tb.Insert(client(n+i), nil, now, forever)
				took := time.Since(start)
				sum, worst = sum+took, max(worst, took)
				e.TouchReply(now)
			}
			b.ReportMetric(float64(sum)/float64(b.N), "ns/insert")
			b.ReportMetric(float64(worst), "ns-worst")
		})
	}
}

// BenchmarkExpire has a million entries end; an op is one entry.
func BenchmarkExpire(b *testing.B) {
	for _, c := range []struct {
		name    string
		touched bool
	}{{"idle", false}, {"touched-since", true}} {
		b.Run(c.name, func(b *testing.B) {
			for done := 0; done < b.N; {
				b.StopTimer()
				n := min(million, b.N-done)
				tb := New[*flow](n)
				for i := range n {
					tb.Insert(client(i), nil, int64(i), Timeouts{1, 1})
				}
				if c.touched {
					now := int64(n)
					tb.Range(func(e *Entry[*flow]) bool { now++; e.TouchReply(now); return true })
				}
				runtime.GC()
				b.StartTimer()
				tb.Expire(math.MaxInt64, math.MaxInt, func(*Entry[*flow]) { done++ })
			}
		})
	}
}

// BenchmarkMemory reports the heap bytes per entry, without the value, when
// filled and after all but one in a thousand ended.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{1_000, 65_536, million} {
		b.Run(map[int]string{1_000: "thousand", 65_536: "65536", million: "million"}[n], func(b *testing.B) {
			for range b.N {
				empty := heapBytes()
				tb := New[*flow](n)
				fresh := heapBytes()
				for i := range n {
					tb.Insert(client(i), nil, int64(i), Timeouts{5, 5})
				}
				full := heapBytes()
				tb.Expire(int64(n-n/1000), math.MaxInt, func(*Entry[*flow]) {})
				b.ReportMetric(float64(fresh-empty), "B/new")
				b.ReportMetric(float64(full-empty)/float64(n), "B/entry")
				b.ReportMetric(float64(heapBytes()-empty), "B/after")
				runtime.KeepAlive(tb)
			}
		})
	}
}

func heapBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
