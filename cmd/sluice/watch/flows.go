package watch

import (
	"math"
	"time"

	"sluice/redir/record"
)

const (
	// newness is how long before a look a flow may have begun that the look has not
	// seen, and still be taken for one that has begun since: a reactor notes the time
	// when its turn begins, which may have been a while before.
	newness = int64(time.Second)
	// looksKept is for how many looks a flow is known that was not seen, where looks
	// fail.
	looksKept = 8
)

// flows knows what each flow had moved when it was seen last.
type flows struct {
	known    table[record.ID, known]
	look     uint32  // number of the present one, from 1
	began    int64   // ns of Reactor.Now: the last look
	since    int64   // likewise: the last one that is over; noLook: none is
	interval float64 // seconds; 0: the first look
}

// known is what a flow had moved when it was seen last.
type known struct {
	up, down uint64 // bytes
	look     uint32
	at       uint32 // when, in units of 1024 ns of Reactor.Now, which start anew after 73 minutes
}

// moved is what a flow has moved since it was seen last.
type moved struct{ up, down uint64 }

// noLook is later than anything.
const noLook = math.MaxInt64

// newFlows has room for so many, and some that come and go.
func newFlows(room int) flows {
	return flows{known: newTable[record.ID, known](room + room/4), since: noLook}
}

func (f *flows) count() int { return len(f.known.entries) }

// begin begins a look.
func (f *flows) begin(now int64, interval time.Duration) {
	f.look++
	f.began, f.interval = now, interval.Seconds()
}

// pass takes up a flow that a look sees. It returns what the flow has moved since it
// was seen last, in how many seconds, which are 0 where that is not known, and whether
// the look has not had it yet: neither itself nor its end.
func (f *flows) pass(r *record.Record, now int64) (m moved, seconds float64, isFirst bool) {
	k, isKnown := f.known.of(r.ID)
	at := clock(now)
	switch {
	case isKnown && k.look == f.look:
		return moved{}, 0, false
	case isKnown:
		m, seconds = k.since(r), float64(at-k.at)*1024/1e9
	case f.isNew(r):
		m, seconds = moved{r.Up.Bytes, r.Down.Bytes}, f.interval
	}
	*k = known{r.Up.Bytes, r.Down.Bytes, f.look, at}
	return m, seconds, true
}

// ended takes up a flow that has ended, and returns what it has moved since it was seen
// last. It stays known until a look does not see it: the present one may have seen it
// before its end, and not passed it yet; and one that lingers is seen for a while.
func (f *flows) ended(r *record.Record) (m moved) {
	k, isKnown := f.known.of(r.ID)
	switch {
	case isKnown:
		m = k.since(r)
	case f.isNew(r):
		m = moved{r.Up.Bytes, r.Down.Bytes}
	}
	*k = known{r.Up.Bytes, r.Down.Bytes, f.look, clock(r.Active)}
	return m
}

// end ends a look. If it was complete, flows are no more that it has not seen.
func (f *flows) end(isComplete bool) {
	f.since = f.began
	kept := uint32(0)
	if !isComplete {
		kept = looksKept
	}
	f.known.keep(func(k *known) bool { return f.look-k.look <= kept })
}

// isNew tells whether a flow that is not known has begun since the last look that is
// over.
func (f *flows) isNew(r *record.Record) bool {
	return f.since != noLook && r.Start >= f.since-newness
}

func (k *known) since(r *record.Record) moved {
	return moved{since(k.up, r.Up.Bytes), since(k.down, r.Down.Bytes)}
}

// since is how much more there is, of what should only grow.
func since(before, now uint64) uint64 {
	if now < before {
		return 0
	}
	return now - before
}

func clock(ns int64) uint32 { return uint32(ns >> 10) }
