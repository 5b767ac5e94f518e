package udp

import "time"

const (
	// behindAfter is how long (ns) a listener has something left in its queue, and
	// behindBatches how many batches in a row it fills, before it counts as behind:
	// clients that come at once, or a turn or two without the CPU, are no sign of
	// that. Its buffer holds some 20,000 datagrams.
	behindAfter   = int64(20 * time.Millisecond)
	behindBatches = 4
	// firstRate is how many sessions a second a listener that is behind may open
	// at first, and leastRate how many at any time.
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

// gate bounds the sessions that a listener opens while it is behind. To open one
// costs some thirty times what it costs to pass on a datagram of one that is
// there, so without a bound, who floods with new sources fills the listener's
// buffer, and the kernel then drops what belongs to known sessions too. While it
// is behind, the rate halves; when it has kept up for a while, it doubles, until
// it is no bound any more. It belongs to one listener.
type gate struct {
	inRow   int   // full batches
	since   int64 // when the first of them was received, ns of Reactor.Now
	rate    int64 // sessions a second; 0: no bound
	changed int64 // when the rate was, likewise
	filled  int64 // when tokens were added, likewise
	tokens  int64 // in ns of rate: a session costs a second's worth divided by the rate
}

// received tells of a batch: whether it took all slots that were free, so that
// more may wait. It reports whether a bound begins with it.
func (g *gate) received(now int64, full bool) (begins bool) {
	if !full {
		g.inRow = 0
		if g.rate > 0 && now-g.changed >= fasterEvery {
			g.change(now, g.rate*2)
		}
		return false
	}
	if g.inRow++; g.inRow == 1 {
		g.since = now
	}
	switch {
	case g.inRow < behindBatches || now-g.since < behindAfter:
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

// admits reports whether one more session may be opened at now.
func (g *gate) admits(now int64) bool {
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
