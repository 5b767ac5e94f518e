package shape

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	// burst is how much (ns) of its rate a bucket's connections may have at once after
	// a pause: a wake-up that comes late, by a timer's millisecond or since others have
	// the CPU, loses nothing.
	burst = int64(50 * time.Millisecond)
	// dropBurst is the same for datagrams, which cannot wait: what a sender begins with
	// before it hears of a drop, a round trip's worth on a line of these days; and
	// leastDropBurst, in bytes, a QUIC handshake or a page's lookups on a slow one.
	dropBurst      = int64(50 * time.Millisecond)
	leastDropBurst = 16 << 10

	// A piece is what pieceTime (ns) of the rate carries, so that a client's connections
	// take turns quickly, but leastPiece bytes at least, since to move less costs as
	// much; and mostPiece at most, a part of what a relay moves before it lets others go
	// first.
	pieceTime  = int64(5 * time.Millisecond)
	leastPiece = 4 << 10
	mostPiece  = 256 << 10
)

// longAgo (ns) is before the clock began, and before any burst.
const longAgo = math.MinInt64 / 2

// Bucket bounds one way of a client's traffic. Its methods may be called on any
// goroutine; times come from one clock, whose readers may be a turn apart.
type Bucket struct {
	rate  int64 // bytes a second; 0: no bound
	piece int64 // bytes
	pause int64 // ns: as burst, of datagrams

	next    atomic.Int64 // ns; when all that was taken is paid for
	passed  atomic.Int64 // ns; the same of datagrams alone, at their share
	waiting atomic.Int64 // connections that have a place and rest
	used    atomic.Int64 // ns; when somebody last had to wait, or lost a datagram; 0: never
}

func (b *Bucket) init(rate int64) {
	if rate <= 0 {
		return
	}
	b.rate = rate
	b.piece = min(max(rate*int64(pieceTime)/int64(time.Second), leastPiece), mostPiece)
	b.pause = max(dropBurst, b.cost(leastDropBurst))
	b.next.Store(longAgo)
	b.passed.Store(longAgo)
}

// Bounded reports whether the bucket bounds anything. Without it, nothing else is to
// be asked of it.
func (b *Bucket) Bounded() bool { return b.rate > 0 }

// Piece is how many bytes a connection takes at a time.
func (b *Bucket) Piece() int64 { return b.piece }

// cost is the time (ns) that n bytes take at the rate.
func (b *Bucket) cost(n int64) int64 { return n * int64(time.Second) / b.rate }

// Take takes a piece for a connection at now, and returns when it may be moved. Where
// that is later, the connection rests until then (Rest).
func (b *Bucket) Take(now int64) (at int64) { return take(&b.next, now-burst, b.cost(b.piece)) }

// GiveBack returns what of a piece was not moved, left bytes.
func (b *Bucket) GiveBack(left int64) {
	if left > 0 {
		b.next.Add(b.cost(b.piece-left) - b.cost(b.piece))
	}
}

// Rest notes that a connection begins to wait for its piece, at now; Wake that it
// waits no longer.
func (b *Bucket) Rest(now int64) {
	b.waiting.Add(1)
	b.used.Store(now)
}

// Wake ends what Rest began.
func (b *Bucket) Wake() { b.waiting.Add(-1) }

// Pass tells how many datagrams may go on at now, of total bytes in datagrams of each
// bytes, the last of which may be shorter. One goes on as soon as all before it are
// paid for, however long it is: it pays afterwards.
func (b *Bucket) Pass(total, each int, now int64) (n int) {
	all := 1
	if total > each {
		all = (total + each - 1) / each
	}
	sharers := 1 + max(0, b.waiting.Load())
	price := max(1, b.cost(int64(each))*sharers)
	var bytes int64
	for {
		was := b.passed.Load()
		at := max(was, now-b.pause)
		if at > now {
			b.used.Store(now)
			return 0
		}
		n = int(min(int64(all), (now-at)/price+1))
		bytes = int64(min(n*each, total))
		if b.passed.CompareAndSwap(was, at+b.cost(bytes)*sharers) {
			break
		}
	}
	take(&b.next, now-burst, b.cost(bytes))
	if n < all {
		b.used.Store(now)
	}
	return n
}

// Owes reports whether more was taken than is paid for at now, a burst included: a
// bucket that does not is like a new one.
func (b *Bucket) Owes(now int64) bool {
	return b.rate > 0 && (b.next.Load() > now-burst || b.passed.Load() > now-b.pause)
}

// heldFor is how long (ns) a bucket counts as used up after it was.
const heldFor = int64(time.Second)

// Held reports whether somebody waits at now, or had to within a second.
func (b *Bucket) Held(now int64) bool {
	if b.waiting.Load() > 0 {
		return true
	}
	used := b.used.Load()
	return used != 0 && now-used < heldFor
}

// take moves a time on by cost, from least at least, and returns what it was.
func take(next *atomic.Int64, least, cost int64) (at int64) {
	for {
		was := next.Load()
		at = max(was, least)
		if next.CompareAndSwap(was, at+cost) {
			return at
		}
	}
}
