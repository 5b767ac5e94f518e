package nat

import "sync/atomic"

const (
	flagReplied uint32 = 1 << iota // a remote has answered; never taken back
	flagRemoved                    // left the table; never taken back
)

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
	flags   atomic.Uint32 // flagReplied, flagRemoved

	// Behind the shard's lock:
	place int32     // where in queue.items
	queue *queue[V] // nil once removed; the one of its class, replied or not
}

// Key returns the client.
func (e *Entry[V]) Key() Key { return e.key }

// Touch notes that the flow carried a datagram at now (ns, the clock that
// Insert was given). Times earlier than the newest known are ignored, so
// reactors whose clocks were read at different moments may race. It writes
// only when now is news: a caller that passes a coarse clock leaves the cache
// line shared for most datagrams.
func (e *Entry[V]) Touch(now int64) {
	for {
		at := e.touched.Load()
		if now <= at || e.touched.CompareAndSwap(at, now) {
			return
		}
	}
}

// TouchReply is Touch for a datagram that came from a remote. The first one of
// an entry takes its shard's lock.
func (e *Entry[V]) TouchReply(now int64) {
	e.Touch(now)
	if !e.Replied() {
		e.shard.reply(e)
	}
}

// Replied reports whether a remote has answered.
func (e *Entry[V]) Replied() bool { return e.flags.Load()&flagReplied != 0 }

// Removed reports whether the entry has left its table.
func (e *Entry[V]) Removed() bool { return e.flags.Load()&flagRemoved != 0 }

// Idle returns the ns from the last touch to now, at least 0.
func (e *Entry[V]) Idle(now int64) int64 { return max(0, now-e.touched.Load()) }
