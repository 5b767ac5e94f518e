package nat

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

// session is what the model knows of an entry.
type session struct {
	e                *Entry[int]
	touched, timeout int64
	replied          bool
}

func (s *session) due() int64 {
	if s.timeout > math.MaxInt64-s.touched {
		return math.MaxInt64
	}
	return s.touched + max(0, s.timeout)
}

// tick is the ns that the model's clock counts in: replyWait lies between its
// timeouts, and is hit exactly.
const tick = replyWait / 50

// rank orders the kinds of victims; the lowest goes first.
func (m *model) rank(s *session, flood bool) int {
	switch overdue := m.now-s.touched > replyWait; {
	case s.replied:
		return 1
	case flood || overdue:
		return 0
	}
	return 2
}

// flood reports whether an eighth of the bound, or of what is live if that is
// less, never had a reply.
func (m *model) flood() bool {
	return 8*m.unreplied() >= min(m.max, len(m.live))
}

func (m *model) unreplied() (n int) {
	for _, s := range m.live {
		if !s.replied {
			n++
		}
	}
	return n
}

// model is a Table as one would write it without care for speed: a map, and a
// look at everything for each question.
type model struct {
	t     *testing.T
	table *Table[int]
	live  map[Key]*session
	max   int
	now   int64
	count int // values given out
}

func (m *model) insert(k Key, timeout int64) {
	m.count++
	known, full := m.live[k], len(m.live) >= m.max
	e, victim, inserted := m.table.Insert(k, m.count, m.now, timeout)
	if known != nil {
		if e != known.e || victim != nil || inserted {
			m.t.Fatalf("insert of a known client gives %v, %v, %v", e, victim, inserted)
		}
		return
	}
	if !inserted || e.Value != m.count || e.Key() != k {
		m.t.Fatalf("insert of a new client gives %v, %v", e, inserted)
	}
	if full != (victim != nil) {
		m.t.Fatalf("full is %v, victim %v", full, victim)
	}
	if full {
		m.removeVictim(victim)
	}
	m.live[k] = &session{e: e, touched: m.now, timeout: timeout}
}

// removeVictim fails unless the victim is one of the best.
func (m *model) removeVictim(victim *Entry[int]) {
	s := m.live[victim.key]
	if s == nil || s.e != victim || !victim.Removed() {
		m.t.Fatalf("victim %v is not a live entry that was removed", victim)
	}
	flood := m.flood()
	for _, o := range m.live {
		if is, other := m.rank(s, flood), m.rank(o, flood); other < is || other == is && o.touched < s.touched {
			m.t.Fatalf("at %d, flood %v: victim replied %v touched %d, but there is replied %v touched %d",
				m.now, flood, s.replied, s.touched, o.replied, o.touched)
		}
	}
	delete(m.live, victim.key)
}

func (m *model) evict() {
	switch victim := m.table.Evict(m.now); {
	case victim != nil:
		m.removeVictim(victim)
	case len(m.live) > 0:
		m.t.Fatal("nothing is evicted")
	}
}

func (m *model) lookup(k Key) *session {
	e, s := m.table.Lookup(k), m.live[k]
	if (e == nil) != (s == nil) || e != nil && e != s.e {
		m.t.Fatalf("lookup gives %v, the model %v", e, s)
	}
	return s
}

func (m *model) expire(budget int) {
	var due int
	for _, s := range m.live {
		if s.due() <= m.now {
			due++
		}
	}
	surplus := max(0, len(m.live)-due-m.max)
	var gone int
	next := m.table.Expire(m.now, budget, func(e *Entry[int]) {
		if gone++; gone > due {
			m.removeVictim(e)
			return
		}
		if s := m.live[e.key]; s == nil || s.e != e || s.due() > m.now || !e.Removed() {
			m.t.Fatalf("%v expires at %d, the model has %v", e, m.now, s)
		}
		delete(m.live, e.key)
	})
	first := int64(math.MaxInt64)
	for _, s := range m.live {
		first = min(first, s.due())
	}
	switch complete := gone == due+surplus; {
	case gone > budget:
		m.t.Fatalf("%d expire with a budget of %d", gone, budget)
	case next == m.now && budget <= due+surplus+len(m.live): // may have run out
	case !complete:
		m.t.Fatalf("%d of %d expire, next %d at %d", gone, due+surplus, next, m.now)
	case next > first || next <= m.now:
		m.t.Fatalf("next is %d at %d, the first is due at %d", next, m.now, first)
	}
}

// step does one operation that four bytes describe.
func (m *model) step(b [4]byte) {
	k := client(int(b[1]))
	k.inbound = uint16(b[1] % 3)
	timeout := []int64{0, 40 * tick, 40 * tick, 300 * tick, 300 * tick, 300 * tick, 5000 * tick, math.MaxInt64}[b[2]%8]
	m.now += int64(b[3]%16) * tick
	switch op := b[0] % 17; op {
	case 0, 1, 2, 3, 4:
		m.insert(k, timeout)
	case 5, 6:
		m.lookup(k)
	case 7, 8, 9, 10:
		if s := m.lookup(k); s != nil {
			at := m.now - int64(b[2]%4)
			s.touched = max(s.touched, at)
			if op == 10 {
				s.replied = true
				s.e.TouchReply(at)
			} else {
				s.e.Touch(at)
			}
		}
	case 11:
		m.expire(math.MaxInt)
	case 12:
		m.expire(int(b[2] % 8))
	case 13:
		if s := m.lookup(k); s != nil {
			if !m.table.Remove(s.e) || m.table.Remove(s.e) {
				m.t.Fatal("an entry leaves other than once")
			}
			delete(m.live, k)
		}
	case 14:
		if s := m.lookup(k); s != nil {
			s.timeout = timeout
			m.table.SetTimeout(s.e, timeout)
		}
	case 15:
		m.max = 1 + int(b[2])
		m.table.SetMax(m.max)
	case 16:
		m.evict()
	}
}

// agree compares what the table holds with the model, and the table with
// itself.
func (m *model) agree() {
	var seen int
	m.table.Range(func(e *Entry[int]) bool {
		seen++
		s := m.live[e.key]
		if s == nil || s.e != e || s.replied != e.Replied() || max(0, m.now-s.touched) != e.Idle(m.now) {
			m.t.Fatalf("range gives %v, the model %v", e, s)
		}
		return true
	})
	if n := len(m.live); seen != n || m.table.Len() != n {
		m.t.Fatalf("range gives %d, len %d, the model %d", seen, m.table.Len(), n)
	}
	if n := m.table.unreplied.Load(); n != int64(m.unreplied()) {
		m.t.Fatalf("%d are counted as unreplied, the model has %d", n, m.unreplied())
	}
	checkTable(m.t, m.table)
}

// checkTable checks each shard, and the table's counts against what is there.
func checkTable[V any](t *testing.T, tb *Table[V]) {
	t.Helper()
	var entries, unreplied int
	for i := range tb.shards {
		checkShard(t, tb, &tb.shards[i])
		for _, q := range tb.shards[i].queues {
			entries += len(q.items)
			if !q.replied {
				unreplied += len(q.items)
			}
		}
	}
	if n, u := tb.Len(), tb.unreplied.Load(); n != entries || u != int64(unreplied) {
		t.Fatalf("%d entries and %d unreplied, but %d and %d are counted", entries, unreplied, n, u)
	}
}

// checkShard fails unless everything that the comments of index, queue and
// bounds promise is so. Nobody may use the table meanwhile.
func checkShard[V any](t *testing.T, tb *Table[V], s *shard[V]) {
	t.Helper()
	x := s.index.Load()
	passed := make([]uint64, len(x.buckets))
	var indexed, queued int
	for i := range x.buckets {
		for j := range x.buckets[i].slots {
			e := x.buckets[i].slots[j].Load()
			tag := x.buckets[i].tags.Load() >> (j * tagBits) & overMax
			if e == nil && tag == 0 {
				continue
			}
			indexed++
			hash := tb.hash(e.key)
			if tag != tagOf(hash) || e.Removed() || e.queue.items[e.place].e != e || e.queue.replied != e.Replied() {
				t.Fatalf("slot %d of bucket %d is wrong: %v, tag %x", j, i, e, tag)
			}
			for at := x.home(hash); at != uint64(i); at = (at + 1) & x.mask {
				passed[at]++
			}
		}
	}
	for i, n := range passed {
		if got := x.buckets[i].tags.Load() >> tagShift; got != n && got != overMax {
			t.Fatalf("bucket %d counts %d overflows, should be %d", i, got, n)
		}
	}
	was := [...]int64{s.bounds.unreplied.Load(), s.bounds.replied.Load(), s.bounds.due.Load()}
	s.publish()
	if is := [...]int64{s.bounds.unreplied.Load(), s.bounds.replied.Load(), s.bounds.due.Load()}; is != was {
		t.Fatalf("bounds are %v, should be %v", was, is)
	}
	for _, q := range s.queues {
		queued += len(q.items)
		for i, it := range q.items {
			if it.at > it.e.touched.Load() || it.at < q.items[max(0, i-1)/arity].at || int(it.e.place) != i {
				t.Fatalf("item %d of a heap is wrong: %v", i, it)
			}
		}
	}
	if indexed != s.count || queued != s.count || s.count > x.limit() {
		t.Fatalf("%d indexed, %d queued, %d counted, limit %d", indexed, queued, s.count, x.limit())
	}
}

func newModel(t *testing.T, shards, bound int) *model {
	return &model{t: t, table: newTable[int](bound, shards), live: map[Key]*session{}, max: bound, now: 1000}
}

func TestTableAgainstMap(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 0))
		m := newModel(t, 1<<(seed%4), 1+r.IntN(256))
		for range 500 {
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], r.Uint32())
			m.step(b)
			if seed%8 >= 4 && r.IntN(16) > 0 { // no flood: most have their reply at once
				m.step([4]byte{10, b[1]})
			}
			m.agree()
		}
	}
}

// FuzzTableAgainstMap reads the number of shards and the bound, then four
// bytes for each operation.
func FuzzTableAgainstMap(f *testing.F) {
	f.Add([]byte("\x00\x02" + "\x00\x01\x01\x01" + "\x00\x02\x01\x01" + "\x0a\x01\x00\x01" + "\x00\x03\x01\x01"))
	f.Add([]byte("\x02\xff" + "\x00\x01\x01\x0f" + "\x00\x02\x04\x0f" + "\x07\x01\x00\x0f" + "\x0b\x00\x00\x0f"))
	replied := []byte("\x01\x0f")
	for n := range byte(18) { // 16 that fill the table, and one that makes room after a while
		replied = append(replied, 0, n, 7, 15)
		if n < 16 {
			replied = append(replied, 10, n, 0, 0)
		}
	}
	f.Add(replied)
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) < 2 {
			return
		}
		m := newModel(t, 1<<(ops[0]%4), 1+int(ops[1]))
		for ops = ops[2:]; len(ops) >= 4; ops = ops[4:] {
			m.step([4]byte(ops))
			m.agree()
		}
	})
}
