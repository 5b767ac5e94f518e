package frame

import "time"

// trackerBits is how far back a tracker tells a duplicate from a late frame:
// more than any window that a load keeps in flight.
const trackerBits = 1 << 14

// Tracker sorts the seqs of one flow as they arrive. A seq further back than
// trackerBits counts as reordered, though it may be a duplicate. One goroutine
// owns it.
type Tracker struct {
	Unique    uint64 // frames that arrived, each counted once
	Duplicate uint64
	Reordered uint64 // arrived after one with a greater seq (RFC 4737, section 4)
	next      uint64 // one more than the greatest seq
	seen      []uint64
}

// Arrive notes a seq and tells whether it is the first of its number.
func (t *Tracker) Arrive(seq uint64) bool {
	if t.seen == nil {
		t.seen = make([]uint64, trackerBits/64)
	}
	switch {
	case seq >= t.next:
		t.forget(seq)
		t.next = seq + 1
	case t.next-seq > trackerBits:
		t.Reordered++
		t.Unique++
		return true
	case t.seen[seq%trackerBits/64]&(1<<(seq%64)) != 0:
		t.Duplicate++
		return false
	default:
		t.Reordered++
	}
	t.seen[seq%trackerBits/64] |= 1 << (seq % 64)
	t.Unique++
	return true
}

// forget clears the places of the seqs from next to seq, which the window now
// reaches.
func (t *Tracker) forget(seq uint64) {
	if seq-t.next >= trackerBits {
		clear(t.seen)
		return
	}
	for s := t.next; s <= seq; s++ {
		t.seen[s%trackerBits/64] &^= 1 << (s % 64)
	}
}

// Jitter is the smoothed variation of the transit time (RFC 3550, section 6.4.1).
// The clocks of sender and receiver need not agree.
type Jitter struct {
	smooth  float64 // nanoseconds
	transit int64
	started bool
}

// Arrive takes the stamp of the sender and the receiver's clock, in nanoseconds.
func (j *Jitter) Arrive(stamp, now int64) {
	transit := now - stamp
	if j.started {
		d := float64(transit - j.transit)
		if d < 0 {
			d = -d
		}
		j.smooth += (d - j.smooth) / 16
	}
	j.transit, j.started = transit, true
}

// Value is the jitter so far.
func (j *Jitter) Value() time.Duration { return time.Duration(j.smooth) }
