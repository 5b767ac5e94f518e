package nat

import "sync/atomic"

// Entry is one client's place in a [Table]. Any reactor may hold one for as
// long as it likes and call its methods at any time, also after it was
// removed: an entry is never used for a second client.
//
// With a Value of eight bytes (a pointer) an entry is one cache line of 64
// bytes.
type Entry[V any] struct {
	// Value is what Insert was given. Reactors read it without a lock, so what
	// changes in it needs synchronisation of its own.
	Value V

	key     Key
	shard   *shard[V]
	touched atomic.Int64  // ns; only grows
	bits    atomic.Uint32 // a state, whose class changes only behind the shard's lock

	// Behind the shard's lock:
	place int32     // where in queue.items
	queue *queue[V] // nil once removed; the one of its class
}

// Key returns the client.
func (e *Entry[V]) Key() Key { return e.key }

func (e *Entry[V]) state() state { return state(e.bits.Load()) }

// Touch notes that the flow carried a datagram of its client's at now (ns, the
// clock that Insert was given). Times earlier than the newest known are
// ignored, so reactors whose clocks were read at different moments may race. It
// writes only when now is news: a caller that passes a coarse clock leaves the
// cache line shared for most datagrams. The one that makes the entry a lasting
// one takes its shard's lock.
func (e *Entry[V]) Touch(now int64) {
	e.touch(now)
	if s := e.state(); s.question(now) != s {
		e.become(now, state.question)
	}
}

// TouchReply is Touch for a datagram that came from a remote. The first one of
// an entry, and those that complete its second and third exchange, take its
// shard's lock.
func (e *Entry[V]) TouchReply(now int64) {
	e.touch(now)
	if s := e.state(); s.answer(now) != s {
		e.become(now, state.answer)
	}
}

func (e *Entry[V]) touch(now int64) {
	for {
		at := e.touched.Load()
		if now <= at || e.touched.CompareAndSwap(at, now) {
			return
		}
	}
}

// become gives the entry the state after a datagram, which is a new one for
// only a few of an entry's datagrams.
func (e *Entry[V]) become(now int64, after func(state, int64) state) {
	for {
		was := e.state()
		switch is := after(was, now); {
		case is.class() != was.class():
			e.shard.rise(e, now, after)
			return
		case is == was || e.bits.CompareAndSwap(uint32(was), uint32(is)):
			return
		}
	}
}

// Replied reports whether a remote has answered.
func (e *Entry[V]) Replied() bool { return e.state().class() != waiting }

// Removed reports whether the entry has left its table.
func (e *Entry[V]) Removed() bool { return e.state()&flagRemoved != 0 }

// Idle returns the ns from the last touch to now, at least 0.
func (e *Entry[V]) Idle(now int64) int64 { return max(0, now-e.touched.Load()) }
