package udp

import "time"

const (
	// behindAfter is how long (ns) a listener has something left in its queue, and
	// behindBatches how many batches in a row it fills, before it counts as behind:
	// clients that come at once, or a turn or two without the CPU, are no sign of
	// that. Its buffer holds some 5,000 datagrams.
	behindAfter   = int64(20 * time.Millisecond)
	behindBatches = 4
	// freshShare is the least share of datagrams that would open sessions, as
	// 1/freshShare, which the bound is for: with fewer, others take the time.
	freshShare = 32
	// firstRate is how many sessions a second a worker may open at first when a
	// listener is behind, and leastRate how many at any time.
	firstRate = 4000
	leastRate = 250
	// fullRate is more than one reactor can open in a second: then there is no
	// bound.
	fullRate = 1 << 17
	// slowerEvery and fasterEvery are the least times between two changes of the
	// rate, in ns.
	slowerEvery = int64(10 * time.Millisecond)
	fasterEvery = int64(100 * time.Millisecond)
	// mostSaved bounds how many sessions a turn may open at a bound rate.
	mostSaved = 16
)

// backlog tells whether a listener is behind.
type backlog struct {
	inRow int   // batches that took all slots that were free
	since int64 // when the first of them was received, ns of Reactor.Now
}

// received tells of a batch: whether it was full, so that more may wait. It
// reports whether the listener is behind.
func (b *backlog) received(now int64, full bool) (behind bool) {
	if !full {
		b.inRow = 0
		return false
	}
	if b.inRow++; b.inRow == 1 {
		b.since = now
	}
	return b.inRow >= behindBatches && now-b.since >= behindAfter
}

// gate bounds the sessions that a worker opens while a listener is behind with
// what would open them. To open one costs some thirty times what it costs to pass
// on a datagram of one that is there, so without a bound, who floods with new
// sources fills the listeners' buffers, and the kernel then drops what belongs to
// known sessions too. While a listener is behind, the rate halves; when none has
// been for a while, it doubles, until it is no bound any more.
type gate struct {
	rate    int64  // sessions a second; 0: no bound
	changed int64  // when the rate was, ns of Reactor.Now
	filled  int64  // when tokens were added, likewise
	tokens  int64  // ns: a session costs a second divided by the rate
	asked   uint64 // how many sessions were to be opened
}

// tell adapts the rate. It reports whether a bound begins.
func (g *gate) tell(now int64, behind bool) (begins bool) {
	switch {
	case !behind:
		if g.rate > 0 && now-g.changed >= fasterEvery {
			g.change(now, g.rate*2)
		}
	case g.rate == 0:
		g.change(now, firstRate)
		return true
	case now-g.changed >= slowerEvery:
		g.change(now, max(leastRate, g.rate/2))
	}
	return false
}

func (g *gate) change(now, rate int64) {
	if rate >= fullRate {
		rate = 0
	}
	g.rate, g.changed = rate, now
}

// isShut reports whether admits would refuse a session at now.
func (g *gate) isShut(now int64) bool {
	return g.rate > 0 && g.tokens+now-g.filled < int64(time.Second)/g.rate
}

// admits reports whether one more session may be opened at now.
func (g *gate) admits(now int64) bool {
	g.asked++
	if g.rate == 0 {
		return true
	}
	each := int64(time.Second) / g.rate
	g.tokens = min(g.tokens+now-g.filled, mostSaved*each)
	g.filled = now
	if g.tokens < each {
		return false
	}
	g.tokens -= each
	return true
}
