package nat

import "time"

// class is what an entry's traffic so far says of who waits on it. An entry
// only ever rises; the lower ones make room first.
type class uint8

const (
	waiting   class = iota // no reply yet
	answered               // one exchange: a question and its answer
	repeated               // two: a lookup by two questions or by a retry, a challenge
	conversed              // three or more, within lastingAfter
	lasting                // carried datagrams for longer
	classes
)

// The fields of a state, from its low bit.
const (
	flagRemoved state = 1 << iota // left the table; never taken back
	flagAsked                     // the client has written since the last reply

	classShift = 2
	classMask  = 7
	sinceShift = 5 // the rest is the time of the first reply, in ticks

	// tickShift makes a tick of 2^28 ns: 27 bits of them tell times apart that
	// lie within 208 days of each other.
	tickShift = 28
)

// lastingAfter is in ticks: an entry that is touched this long after its first
// reply is more than a question with retries, which resolvers give up after
// 10 s (resolv.conf(5): two attempts of 5 s), and the keepalives of what must be
// reached come later (20 s in RFC 3948, 15 s or more in RFC 8445 and RFC 5626).
const lastingAfter = int32(15*time.Second>>tickShift + 1)

// state is an entry's flags, its class, and when its first reply came.
type state uint32

func (s state) class() class { return class(s >> classShift & classMask) }

func (s state) with(c class) state { return s&^(classMask<<classShift) | state(c)<<classShift }

// lasts reports whether a datagram at now (ns) makes the entry a lasting one.
// Times a little before the first reply are no wrap-around.
func (s state) lasts(now int64) bool {
	ticks := uint32(now>>tickShift)<<sinceShift - uint32(s)&^(1<<sinceShift-1)
	return s.class() != waiting && int32(ticks)>>sinceShift >= lastingAfter
}

// question returns the state after a datagram of the client's.
func (s state) question(now int64) state {
	switch {
	case s.class() == lasting:
		return s
	case s.lasts(now):
		return s.with(lasting)
	case s.class() == conversed: // counts no further
		return s
	}
	return s | flagAsked
}

// answer returns the state after a datagram of a remote's.
func (s state) answer(now int64) state {
	switch c := s.class(); {
	case c == lasting:
		return s
	case c == waiting:
		return s.with(answered)&^flagAsked&(1<<sinceShift-1) | state(now>>tickShift)<<sinceShift
	case s.lasts(now):
		return s.with(lasting)
	case s&flagAsked != 0 && c < conversed:
		return s.with(c+1) &^ flagAsked
	}
	return s
}

// Timeouts are how long (ns) an entry may be idle, counted from its last
// touch, before it is due.
type Timeouts struct {
	Brief int64 // with fewer than three exchanges, and not lasting; no more than Full
	Full  int64
}

func (t Timeouts) of(c class) int64 {
	if c < conversed {
		return max(0, min(t.Brief, t.Full))
	}
	return max(0, t.Full)
}
