package count

import (
	"slices"
	"sync/atomic"
	"time"
)

// Times names one time that is measured.
type Times uint8

// What a worker measures.
const (
	ConnectTime   Times = iota // from the dial to the upstream's answer
	FirstByteTime              // from accept to the first byte that the upstream sent
	ConnDuration               // from accept to close
	FlowDuration               // of a UDP session
	NumTimes
)

// timeBounds are the upper ends of buckets: a dial within a rack and one that waits
// for its third SYN, a request and a connection that stays for hours.
var timeBounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
}

// histogram counts times by bucket; the last is for those beyond all bounds.
type histogram struct {
	counts [len(timeBounds) + 1]atomic.Uint64
	sum    atomic.Uint64 // ns
}

// Took adds a time (ns) to a histogram.
func (c *Counters) Took(what Times, ns int64) {
	h := &c.times[what]
	ns = max(0, ns)
	bucket, _ := slices.BinarySearch(timeBounds[:], time.Duration(ns))
	h.counts[bucket].Add(1)
	h.sum.Add(uint64(ns))
}

// Distribution is a histogram at one time.
type Distribution struct {
	Counts [len(timeBounds) + 1]uint64 // those up to each of TimeBounds and beyond the one before, and those beyond all
	Sum    uint64                      // ns
}

// TimeBounds are the upper ends of a Distribution's buckets.
func TimeBounds() []time.Duration { return slices.Clone(timeBounds[:]) }

// CollectTimes adds what a worker has measured so far.
func (c *Counters) CollectTimes(sum *[NumTimes]Distribution) {
	for what := range sum {
		h := &c.times[what]
		for i := range h.counts {
			sum[what].Counts[i] += h.counts[i].Load()
		}
		sum[what].Sum += h.sum.Load()
	}
}
