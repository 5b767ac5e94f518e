package shape

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// rates are in bytes a second: the least, a slow line's, a fast one's, and more than
// a NIC carries.
var rates = []int64{LeastRate, 10_000, 125_000, 1 << 20, 125_000_000, 5_000_000_000}

func bucketOf(rate int64) *Bucket { return &New(Limit{Up: rate, Down: Off}).Up }

// puller is a connection that always has something to move.
type puller struct {
	b     *Bucket
	at    int64 // ns; when it moves next
	rests bool
	moved int64 // bytes
}

// take has it move what it has a place for, and take the next at now.
func (p *puller) take(now int64) {
	if p.at = p.b.Take(now); p.at > now {
		p.rests = true
		p.b.Rest(now)
	} else {
		p.at = now
	}
}

func (p *puller) wake() {
	if p.rests {
		p.rests = false
		p.b.Wake()
	}
	p.moved += p.b.Piece()
}

// pull has connections take and rest as relays do, with wake-ups up to late (ns) late,
// and datagrams of 1,200 bytes each come at a rate, for a time from start on. It
// returns the bytes of datagrams that passed.
func pull(b *Bucket, conns []puller, rng *rand.Rand, start, length, late, datagrams int64) (passed int64) {
	for i := range conns {
		conns[i].b = b
		conns[i].take(start)
	}
	next := start
	if datagrams == 0 {
		next += length
	}
	for {
		first := -1
		for i := range conns {
			c := &conns[i]
			if c.at < next && (first < 0 || c.at < conns[first].at || c.at == conns[first].at && c.moved < conns[first].moved) {
				first = i
			}
		}
		if first < 0 {
			if next >= start+length {
				return passed
			}
			passed += 1200 * int64(b.Pass(1200, 1200, next))
			next += 1200 * int64(time.Second) / datagrams
			continue
		}
		c := &conns[first]
		now := c.at
		if c.rests {
			now += rng.Int64N(late + 1)
		}
		c.wake()
		c.take(now)
	}
}

// TestConnections asserts that connections together get what the rate allows, no
// more than a burst beyond it, and each its share.
func TestConnections(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, rate := range rates {
		for _, n := range []int{1, 2, 7, 50} {
			b, conns := bucketOf(rate), make([]puller, n)
			length := max(int64(2*time.Second), 20*int64(n)*b.cost(b.Piece()))
			pull(b, conns, rng, int64(time.Hour), length, int64(time.Millisecond), 0)
			var sum, least, most int64
			for i, c := range conns {
				sum += c.moved
				most = max(most, c.moved)
				if i == 0 || c.moved < least {
					least = c.moved
				}
			}
			allowed := rate * (length / 1000) / 1_000_000
			if sum < allowed*97/100 || sum > allowed+rate*burst/int64(time.Second)+int64(n+1)*b.Piece() {
				t.Errorf("%d bytes a second, %d connections: %d bytes moved, %d allowed", rate, n, sum, allowed)
			}
			fair := 3*b.Piece() + sum/int64(n)/20
			if b.cost(b.Piece()) < int64(time.Millisecond) { // a late wake-up is worth several pieces, and who is called first takes them
				fair += sum / int64(n) / 2
			}
			if most-least > fair {
				t.Errorf("%d bytes a second, %d connections: from %d to %d bytes each", rate, n, least, most)
			}
		}
	}
}

// TestDatagramsAmongConnections asserts that datagrams have all where nothing else
// is, the share of one connection where there are some, and take nobody's.
func TestDatagramsAmongConnections(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, rate := range []int64{125_000, 10_000_000} {
		for _, n := range []int64{0, 1, 4} {
			b, conns := bucketOf(rate), make([]puller, n)
			passed := pull(b, conns, rng, int64(time.Hour), int64(20*time.Second), 0, 3*rate)
			sum := passed
			for _, c := range conns {
				sum += c.moved
			}
			if allowed := rate * 20; sum < allowed*95/100 || sum > allowed*105/100 {
				t.Errorf("%d bytes a second, %d connections: %d bytes in 20 s", rate, n, sum)
			}
			if share := rate * 20 / (n + 1); passed < share*85/100 || passed > share*125/100 {
				t.Errorf("%d bytes a second, %d connections: %d bytes of datagrams passed, their share is %d", rate, n, passed, share)
			}
		}
	}
}

// TestPassBounds asserts for random runs that what passes in any time is no more than
// the rate, a burst and one datagram, and that a sender below the rate loses nothing.
func TestPassBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, rate := range rates {
		b, start := bucketOf(rate), int64(time.Hour)
		now, sum := start, int64(0)
		for range 5000 {
			each := 1 + rng.IntN(1500)
			total := each + rng.IntN(each*40)
			n := b.Pass(total, each, now)
			if n < 0 || n > (total+each-1)/each {
				t.Fatalf("%d of %d datagrams passed", n, (total+each-1)/each)
			}
			sum += int64(min(n*each, total))
			if most := float64(rate)*float64(now-start+b.pause)/1e9 + 1500 + float64(rate)/1e6; float64(sum) > most*1.001 {
				t.Fatalf("%d bytes a second: %d bytes passed in %v", rate, sum, time.Duration(now-start))
			}
			now += rng.Int64N(1 + 2*int64(time.Second)*int64(total)/rate)
		}
		if allowed := float64(rate) * float64(now-start) / 1e9; float64(sum) < allowed*0.5 {
			t.Errorf("%d bytes a second: %d bytes passed, %.0f allowed", rate, sum, allowed)
		}
	}
	b, now := bucketOf(1_000_000), int64(0) // when the clock begins
	for i := range 5000 {
		if b.Pass(1200, 1200, now) != 1 {
			t.Fatalf("datagram %d of a sender below the rate is dropped", i)
		}
		now += int64(1300 * time.Microsecond)
	}
}

func TestBurstWhenTheClockBegins(t *testing.T) {
	if n := bucketOf(LeastRate).Pass(20_000, 1000, 0); n != 1+leastDropBurst/1000 {
		t.Errorf("%d datagrams pass", n)
	}
	b, n := bucketOf(1<<20), 0
	for b.Take(0) <= 0 {
		n++
	}
	if want := 1 + int(burst/pieceTime); n < want-1 || n > want+1 {
		t.Errorf("%d pieces are there, want %d", n, want)
	}
}

func TestLongDatagramPassesAndIsPaidFor(t *testing.T) {
	b, now := bucketOf(100_000), int64(time.Hour)
	if b.Pass(65_000, 65_000, now) != 1 {
		t.Fatal("a long datagram never passes")
	}
	if b.Pass(1, 1, now+int64(400*time.Millisecond)) != 0 {
		t.Error("it was not paid for")
	}
	if !b.Held(now+int64(401*time.Millisecond)) || b.Held(now+int64(1401*time.Millisecond)) {
		t.Error("held is not the second after a drop")
	}
	if b.Pass(1, 1, now+int64(651*time.Millisecond)) != 1 {
		t.Error("it was paid for, and nothing passes")
	}
	if !b.Owes(now) || b.Owes(now+int64(time.Minute)) {
		t.Error("what is owed is not right")
	}
}

// TestGiveBack asserts that what is given back is as if it had never been taken.
func TestGiveBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, rate := range rates {
		b, now := bucketOf(rate), int64(time.Hour)
		b.Take(now)
		before := b.next.Load()
		for range 100 {
			used := rng.Int64N(b.Piece() + 1)
			b.Take(now)
			b.GiveBack(b.Piece() - used)
			before += b.cost(used)
		}
		if got := b.next.Load(); got != before {
			t.Errorf("%d bytes a second: %d ns off", rate, got-before)
		}
	}
}

func TestHeldWhileSomebodyRests(t *testing.T) {
	s, now := New(Limit{Up: 5000, Down: Off}), int64(time.Hour)
	if s.Down.Bounded() || s.Held(now) {
		t.Error("an unused shaper is held")
	}
	s.Up.Rest(now)
	if !s.Held(now + int64(time.Minute)) {
		t.Error("somebody rests, and the shaper is not held")
	}
	s.Up.Wake()
	if !s.Held(now+1) || s.Held(now+heldFor) {
		t.Error("held is not the second after")
	}
	var none *Shaper
	if New(Limit{Up: Off}) != nil || none.Held(now) || none.Owes(now) || none.Limit().IsSet() {
		t.Error("no shaper is not like none")
	}
}

// TestTogether takes from several goroutines at once: nothing is lost or given twice.
func TestTogether(t *testing.T) {
	b, now := bucketOf(1<<20), int64(time.Hour)
	const each, goroutines = 10_000, 4
	b.Take(now)
	start := b.next.Load()
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range each {
				b.Take(now)
				b.GiveBack(b.Piece() / 2)
				b.Rest(now)
				b.Wake()
			}
		})
	}
	all.Wait()
	if want := start + goroutines*each*b.cost(b.Piece()-b.Piece()/2); b.next.Load() != want || b.waiting.Load() != 0 {
		t.Errorf("%d ns off, %d wait", b.next.Load()-want, b.waiting.Load())
	}
}

func TestAllocatesNothing(t *testing.T) {
	b, now := bucketOf(1<<20), int64(time.Hour)
	if n := testing.AllocsPerRun(1000, func() {
		now += int64(time.Millisecond)
		b.Take(now)
		b.GiveBack(100)
		b.Rest(now)
		b.Wake()
		b.Pass(12_000, 1200, now)
		b.Held(now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkTake is what a shaped connection pays for each look at what it may move,
// alone and with others of its client on other threads.
func BenchmarkTake(b *testing.B) {
	b.Run("alone", func(b *testing.B) {
		bucket, now := bucketOf(1<<30), int64(time.Hour)
		for b.Loop() {
			now += 1000
			bucket.Take(now)
			bucket.GiveBack(bucket.Piece() - 100)
		}
	})
	b.Run("together", func(b *testing.B) {
		bucket := bucketOf(1 << 30)
		b.RunParallel(func(p *testing.PB) {
			for now := int64(time.Hour); p.Next(); now += 1000 {
				bucket.Take(now)
				bucket.GiveBack(bucket.Piece() - 100)
			}
		})
	})
}

// BenchmarkPass is what each message of a shaped client's datagrams pays.
func BenchmarkPass(b *testing.B) {
	bucket, now := bucketOf(1<<30), int64(time.Hour)
	for b.Loop() {
		now += 1000
		bucket.Pass(1200, 1200, now)
	}
}
