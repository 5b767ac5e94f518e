package nat

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// session is what the model knows of an entry.
type session struct {
	e              *Entry[int]
	touched, first int64 // the last datagram, and the first reply
	timeouts       Timeouts
	exchanges      int
	asked, lasting bool
}

func (s *session) class() class {
	if s.lasting {
		return lasting
	}
	return class(min(s.exchanges, 3))
}

func (s *session) due() int64 {
	timeout := s.timeouts.Full
	if s.class() < conversed {
		timeout = min(timeout, s.timeouts.Brief)
	}
	if timeout > math.MaxInt64-s.touched {
		return math.MaxInt64
	}
	return s.touched + max(0, timeout)
}

func (s *session) datagram(at int64, reply bool) {
	s.touched = max(s.touched, at)
	switch {
	case s.exchanges > 0 && at>>tickShift-s.first>>tickShift >= int64(lastingAfter):
		s.lasting = true
	case !reply:
		s.asked = true
	case s.asked:
		if s.asked, s.exchanges = false, s.exchanges+1; s.exchanges == 1 {
			s.first = at
		}
	}
}

// tick is the ns that the model's clock counts in: replyWait lies between its
// timeouts, and is hit exactly.
const tick = replyWait / 50

// rank orders the kinds of victims; the lowest goes first.
func (m *model) rank(s *session, flood bool, ceded class) int {
	switch {
	case s.class() != waiting:
		return 2 * int(s.class())
	case flood || m.now-s.touched > replyWait:
		return 0
	}
	return 2*int(ceded) - 1
}

// ceded returns the lowest class that an entry without a reply makes room for.
func (m *model) ceded() class {
	few := max(16, (min(m.max, len(m.live))+63)/64)
	own := slices.Max(m.held(waiting))
	for c := answered; c < classes; c++ {
		most := slices.Max(m.held(c))
		if most == 0 {
			continue
		}
		if own >= few && own > most || c >= conversed && m.unreplied() >= few {
			return c
		}
	}
	return classes
}

// held counts the entries of a class by shard.
func (m *model) held(c class) []int {
	n := make([]int, len(m.table.shards))
	for _, s := range m.live {
		if s.class() == c {
			n[s.e.shard.number]++
		}
	}
	return n
}

// flood reports whether an eighth of the bound, or of what is live if that is
// less, never had a reply.
func (m *model) flood() bool {
	return 8*m.unreplied() >= min(m.max, len(m.live))
}

func (m *model) unreplied() (n int) {
	for _, s := range m.live {
		if s.class() == waiting {
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

func (m *model) insert(k Key, timeouts Timeouts) {
	m.count++
	known, full := m.live[k], len(m.live) >= m.max
	e, victim, inserted := m.table.Insert(k, m.count, m.now, timeouts)
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
	m.live[k] = &session{e: e, touched: m.now, timeouts: timeouts, asked: true}
}

// removeVictim fails unless the victim is one of the best.
func (m *model) removeVictim(victim *Entry[int]) {
	s := m.live[victim.key]
	if s == nil || s.e != victim || !victim.Removed() {
		m.t.Fatalf("victim %v is not a live entry that was removed", victim)
	}
	flood, ceded := m.flood(), m.ceded()
	rank := m.rank(s, flood, ceded)
	held := m.held(s.class())
	most, fair := slices.Max(held), rank > 0 || flood
	for _, o := range m.live {
		other := m.rank(o, flood, ceded)
		n := held[o.e.shard.number]
		if other < rank || other == rank && o.touched < s.touched && (!fair || n >= most-most/fairPart-fairSlack) {
			m.t.Fatalf("at %d, flood %v: victim %+v, but there is %+v", m.now, flood, s, o)
		}
	}
	if n := held[s.e.shard.number]; fair && n < most-most/fairPart-fairSlack {
		m.t.Fatalf("a client of %d pays for one of %d", n, most)
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

// evictOf fails unless the victim is the longest idle one of the first kind of
// k's address that makes room for its own.
func (m *model) evictOf(k Key) {
	var want *session
	for _, s := range m.live {
		idle := m.now - s.touched
		if !s.e.key.sameAddress(k) || s.class() == waiting && idle <= replyWait || s.class() >= conversed && idle <= ownKept {
			continue
		}
		if want == nil || s.class() < want.class() || s.class() == want.class() && s.touched < want.touched {
			want = s
		}
	}
	victim := m.table.EvictOf(k, m.now)
	if victim == nil && want == nil {
		return
	}
	s := m.live[k]
	if victim != nil {
		s = m.live[victim.key]
	}
	if victim == nil || want == nil || s.e != victim || !victim.key.sameAddress(k) || s.class() != want.class() || s.touched != want.touched {
		m.t.Fatalf("%v makes room for its client, want %+v", victim, want)
	}
	delete(m.live, victim.key)
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
	k := client(int(b[1])) // one address with many ports
	if b[1] >= 96 {
		k = client(int(b[1]) << 7 &^ 0xfe) // many, with two ports each
	}
	k.inbound = uint16(b[1] % 3)
	timeout := []int64{0, 40 * tick, 40 * tick, 300 * tick, 300 * tick, 300 * tick, 5000 * tick, math.MaxInt64}
	timeouts := Timeouts{timeout[b[2]%8], timeout[max(b[2], b[2]>>3)%8]}
	m.now += int64(b[3]%16) * tick
	switch op := b[0] % 18; op {
	case 0, 1, 2, 3, 4:
		m.insert(k, timeouts)
	case 5, 6:
		m.lookup(k)
	case 7, 8, 9, 10:
		if s := m.lookup(k); s != nil {
			at := m.now - int64(b[2]%4)
			s.datagram(at, op >= 9)
			if op >= 9 {
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
			s.timeouts = timeouts
			m.table.SetTimeouts(s.e, timeouts)
		}
	case 15:
		m.max = 1 + int(b[2])
		m.table.SetMax(m.max)
	case 16:
		m.evict()
	case 17:
		m.evictOf(k)
	}
}

// agree compares what the table holds with the model, and the table with
// itself.
func (m *model) agree() {
	var seen int
	m.table.Range(func(e *Entry[int]) bool {
		seen++
		s := m.live[e.key]
		if s == nil || s.e != e || s.class() != e.state().class() || max(0, m.now-s.touched) != e.Idle(m.now) {
			m.t.Fatalf("range gives %v, the model %v", e, s)
		}
		return true
	})
	if n := len(m.live); seen != n || m.table.Len() != n {
		m.t.Fatalf("range gives %d, len %d, the model %d", seen, m.table.Len(), n)
	}
	checkTable(m.t, m.table)
}

// checkTable checks each shard, and the table's counts against what is there.
func checkTable[V any](t *testing.T, tb *Table[V]) {
	t.Helper()
	var held [classes]int64
	for i := range tb.shards {
		checkShard(t, tb, &tb.shards[i])
		for _, q := range tb.shards[i].queues {
			held[q.class] += int64(len(q.items))
		}
	}
	var entries int64
	for c, n := range held {
		entries += n
		if total := tb.census[c].total.Load(); total != n {
			t.Fatalf("%d entries of class %d, but %d are counted", n, c, total)
		}
	}
	if n := tb.Len(); int64(n) != entries {
		t.Fatalf("%d entries, but %d are counted", entries, n)
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
			if tag != tagOf(hash) || e.Removed() || e.queue.items[e.place].e != e || e.queue.class != e.state().class() {
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
	was := published(s)
	s.publish()
	if is := published(s); is != was {
		t.Fatalf("%v is published, should be %v", was, is)
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

// published returns what a table knows of a shard.
func published[V any](s *shard[V]) (p [2*classes + 1]int64) {
	for c := range classes {
		census := &s.table.census[c]
		p[c], p[classes+c] = int64(census.held[s.number].Load()), census.records[s.number].Load()
	}
	p[2*classes] = s.table.due[s.number].Load()
	return p
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
