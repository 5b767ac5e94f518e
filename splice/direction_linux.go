package splice

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// direction is the way from one side to the other. Between two calls of Pump it holds at most one of a residue, a pipe with
// bytes in it, and one urgent byte; while it holds any, its source is not read.
type direction struct {
	moved uint64   // bytes that the destination's socket took
	rest  *residue // what a copy could not deliver
	pipe  *pipe    // during Pump, and while it holds bytes

	bulk       uint8 // 0 to bulkSure; see judge
	ended      bool  // the source has no more, or the destination failed
	passed     bool  // the end was passed on with shutdown
	inline     bool  // SO_OOBINLINE is set on the source
	urgentHeld bool  // urgent is read and not yet delivered
	urgent     [1]byte
	piece      piece // what one splice moves
}

// A direction is bulk from bulkEnough on: that many reads filled the buffer with none small in between. From bulkSure it sinks
// by one with each Pump that moves no more than messages do, and is copied again when it reaches 0.
const (
	bulkEnough = 3
	bulkSure   = 8
)

func (d *direction) empty() bool { return d.rest == nil && d.pipe == nil && !d.urgentHeld }

// over tells whether the direction has ended and everything is delivered.
func (d *direction) over() bool { return d.ended && d.empty() }

// pump moves bytes until the source has none or may give no more, the destination has no room, or the budget is used up, which it
// reports.
//
// What it may assume of the source: In is noted with every edge, and removed only when a call has proved that the receive
// queue is empty. Whatever arrives later makes a new edge (sk_data_ready after the queue changed; recv and the softirq exclude
// each other by the socket's lock), so no byte is waited for in vain.
func (r *Relay) pump(from Side) (again bool) {
	d, src, dst := &r.dirs[from], &r.sides[from], &r.sides[from.other()]
	if !d.empty() && !r.flush(from) {
		return false
	}
	start := d.moved
	spliced := false
	for !d.ended && src.seen&In != 0 && dst.seen&Out != 0 && r.w.left[from] > 0 {
		if d.moved-start >= r.w.budget {
			again = true
			break
		}
		switch {
		case src.seen&Urgent != 0:
			if !r.copyUrgent(from) {
				return true
			}
		case r.wantsPipe(d) && r.takePipe(from):
			spliced = true
			r.spliceOnce(from)
		default:
			r.copyOnce(from)
		}
	}
	if d.pipe != nil && d.pipe.held == 0 {
		r.w.pipes.give(d.pipe)
		d.pipe = nil
	}
	if spliced {
		r.judge(d, d.moved-start)
	}
	return again
}

// flush delivers what the direction holds; false if some of it remains.
func (r *Relay) flush(from Side) bool {
	d := &r.dirs[from]
	if r.sides[from.other()].seen&Out == 0 {
		return false
	}
	switch {
	case d.pipe != nil:
		r.emptyPipe(from)
		return d.pipe == nil || d.pipe.held == 0
	case d.rest != nil:
		r.flushResidue(from)
	case d.urgentHeld:
		r.sendUrgent(from)
	}
	return d.empty()
}

// wrote accounts for a send to the other side that took n of size bytes, and tells whether the rest is to be kept.
//
// A short send proves that the send buffer is full: tcp_sendmsg_locked and unix_stream_sendmsg return early only when they
// would wait for room, having asked for an edge (SOCK_NOSPACE) before.
func (r *Relay) wrote(from Side, n, size int, errno syscall.Errno) (keep bool) {
	d, to := &r.dirs[from], from.other()
	d.moved += uint64(n)
	switch {
	case errno != 0 && errno != unix.EAGAIN:
		r.fail(to, errno)
		return false
	case n < size:
		r.sides[to].seen &^= Out
		return true
	}
	return false
}

// readFailed accounts for a read of a side that did not bring bytes. A side that has failed and yet says EAGAIN lives: it was a
// send to it that failed (ENOBUFS, EPERM), and no edge will tell of its end.
func (r *Relay) readFailed(from Side, errno syscall.Errno) {
	switch errno {
	case unix.EAGAIN:
		r.sides[from].seen &^= In
		if r.failed && from == r.victim {
			r.dirs[from].ended = true
		}
	case 0:
		r.dirs[from].ended = true
	default:
		r.dirs[from].ended = true
		r.fail(from, errno)
	}
}

// noteRead counts reads that filled as much of the copy buffer as they might; one that left most of it unused is a message, not a
// flow, and starts anew. One that might not fill more than a message takes says nothing.
func (r *Relay) noteRead(d *direction, n, most int) {
	switch {
	case n == most && uint64(most) >= r.w.much() && d.bulk < bulkEnough:
		d.bulk++
		if d.bulk == bulkEnough {
			d.bulk = bulkSure
			if d.piece != pieceRefused {
				d.piece = pieceUnknown
			}
		}
	case n < most && uint64(n) < r.w.much() && d.bulk < bulkEnough:
		d.bulk = 0
	}
}

// judge lets a bulk direction sink when a Pump moved little through the pipe.
func (r *Relay) judge(d *direction, moved uint64) {
	switch {
	case moved >= r.w.much():
		d.bulk = bulkSure
	case d.bulk > 0:
		d.bulk--
	}
}
