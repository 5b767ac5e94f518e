package splice

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// Relay joins two connected stream sockets: what one sends, the other receives. It is meant to be embedded in the object of a
// connection; an idle one holds neither buffer nor pipe. It belongs to the goroutine of its Workspace. It never closes the
// sockets and never asks the clock.
type Relay struct {
	w      *Workspace
	sides  [2]side
	dirs   [2]direction // by source
	failed bool
	victim Side     // which side failed first
	heavy  bool     // see Heavy
	way    Side     // the source of the bytes that were last moved
	run    uint32   // how many, since any went the other way; up to oneWayEnough
	errno  uint16   // and how
	places [2]uint8 // by source: the number, from 1 on, of where MoveTogether has put its bytes; 0: nowhere
}

// side is one socket and what the kernel has told of it since the last call that disproved it.
type side struct {
	fd   int32
	seen Events
}

// Start begins relaying between two non-blocking stream sockets, each registered once with epoll, edge-triggered, for
// IN, OUT, RDHUP and PRI, and connected: a HUP that epoll reported of a socket before its connect must not reach Notify.
// Both sides count as writable and not as readable; a caller that expects bytes at once says Notify(side, In).
//
// SO_OOBINLINE should be set on both (accepted sockets inherit it from the listener): without it an urgent byte that arrives
// in the middle of a read can be skipped by the kernel; with it none is lost. See urgent_linux.go.
func (r *Relay) Start(w *Workspace, a, b int) {
	*r = Relay{w: w, sides: [2]side{{fd: int32(a), seen: Out}, {fd: int32(b), seen: Out}}}
}

// Preface sends data to the other side of from, before all that from has to say.
// It is called once, between Start and the first Pump; what has no room waits as
// any other byte does. Moved counts it.
func (r *Relay) Preface(from Side, data []byte) { r.deliver(from, data, 0) }

// Replace puts another socket in the place of one side's, of which Notify has told
// nothing.
func (r *Relay) Replace(s Side, fd int) { r.sides[s] = side{fd: int32(fd), seen: Out} }

// Notify notes an edge of one side. It makes no system call; Pump acts on it.
func (r *Relay) Notify(s Side, ev Events) {
	seen := r.sides[s].seen | ev
	if ev&readEvents != 0 {
		seen |= In
	}
	if ev&writeEvents != 0 {
		seen |= Out
	}
	r.sides[s].seen = seen
}

// Pump moves what can be moved in both directions and says what the caller is to do next. Once Finished or Broken it
// stays so.
//
// A direction that has ended is passed on with shutdown(SHUT_WR) while the other one lives. The last one needs none: both
// sockets are about to be closed, both have been read to their end, and close(2) sends a FIN when nothing is unread
// (tcp_close in Linux's net/ipv4/tcp.c sends a reset only otherwise).
func (r *Relay) Pump() Status {
	r.w.left = Allowance{Unlimited, Unlimited}
	return r.move()
}

func (r *Relay) move() Status {
	failedBefore, movedA, movedB := r.failed, r.dirs[A].moved, r.dirs[B].moved
	r.settle()
	again := r.pump(A)
	again = r.pump(B) || again
	r.note(r.dirs[A].moved-movedA, r.dirs[B].moved-movedB)
	r.findReset(A)
	r.findReset(B)
	if r.failed && !failedBefore {
		again = r.pump(r.victim) || again // a failed write tells nothing of what its side had sent before
	}
	switch {
	case r.failed && r.dirs[r.victim].over():
		return Broken
	case !r.failed && r.dirs[A].over() && r.dirs[B].over():
		return Finished
	}
	if !r.failed && (r.passEnd(A) || r.passEnd(B)) {
		return r.move()
	}
	if again {
		return Again
	}
	return Blocked
}

// passEnd shuts the other side's writing half once everything from this one is delivered, and tells whether that failed. ENOTCONN
// means that the other was reset meanwhile (inet_shutdown): that error is the failure's, if it is still there.
func (r *Relay) passEnd(from Side) (failed bool) {
	d := &r.dirs[from]
	if !d.over() || d.passed {
		return false
	}
	d.passed = true
	errno := shutdownWrite(r.fd(from.other()))
	if errno == 0 {
		return false
	}
	if errno == unix.ENOTCONN {
		if pending, err := unix.GetsockoptInt(int(r.fd(from.other())), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && pending != 0 {
			errno = syscall.Errno(pending)
		}
	}
	r.fail(from.other(), errno)
	return true
}

// findReset asks for the error of a side that has nothing more to read, since no read would report it: after a FIN, recv(2)
// answers 0 for good (SOCK_DONE is tested before sk_err in tcp_recvmsg_locked) and a reset leaves EPIPE in sk_err (tcp_reset).
func (r *Relay) findReset(s Side) {
	side := &r.sides[s]
	if r.failed || side.seen&Err == 0 || !r.dirs[s].ended {
		return
	}
	side.seen &^= Err
	if errno, err := unix.GetsockoptInt(int(side.fd), unix.SOL_SOCKET, unix.SO_ERROR); err == nil && errno != 0 {
		r.fail(s, syscall.Errno(errno))
	}
}

// fail notes that a side is dead: nothing reaches it any more, but what it had sent is still read. sk_err is reported once, by
// whichever call comes first (sock_error), so whatever ends the reading from here on is the failure and never a FIN. Errors that
// TCP calls soft are no exception: without IP_RECVERR they reach sk_err only once the connection is given up (tcp_write_err).
func (r *Relay) fail(s Side, errno syscall.Errno) {
	if !r.failed {
		r.failed, r.victim, r.errno = true, s, uint16(errno)
	}
	r.sides[s].seen |= In | Err
	r.drop(&r.dirs[s.other()])
	r.dirs[s.other()].ended = true
}

// drop gives back what a direction holds, delivered or not.
func (r *Relay) drop(d *direction) {
	if d.rest != nil {
		r.w.residues.release(d.rest)
		d.rest = nil
	}
	if d.pipe != nil {
		r.w.pipes.give(d.pipe)
		d.pipe = nil
	}
	d.urgentHeld = false
}

// Release gives back buffers and pipes, with whatever they hold. It may be called in any state, also twice; the sockets stay
// the caller's.
func (r *Relay) Release() {
	if r.w != nil {
		r.drop(&r.dirs[A])
		r.drop(&r.dirs[B])
		r.places = [2]uint8{}
	}
}

// Moved is how many bytes of one side were handed to the other's socket.
func (r *Relay) Moved(from Side) uint64 { return r.dirs[from].moved }

// Bulk tells whether a direction has proved to be bulk.
func (r *Relay) Bulk() bool { return r.dirs[A].bulk >= bulkEnough || r.dirs[B].bulk >= bulkEnough }

// OneWay tells whether much was moved one way since anything went the other way: nobody waits for an answer.
func (r *Relay) OneWay() bool { return r.run >= oneWayEnough }

// oneWayEnough is in bytes: beyond a large response, below what lasts for long.
const oneWayEnough = 4 << 20

// Heavy tells whether the last Pump moved more than messages are long: the next may do so too, and others had better go first.
func (r *Relay) Heavy() bool { return r.heavy }

// note accounts for what one Pump moved from A and from B.
func (r *Relay) note(a, b uint64) {
	r.heavy = a+b >= r.w.much()
	way := A
	if b > 0 {
		way = B
	}
	switch {
	case a > 0 && b > 0:
		r.run = 0
	case a+b == 0:
	case way != r.way:
		r.way, r.run = way, uint32(min(a+b, oneWayEnough))
	default:
		r.run = uint32(min(uint64(r.run)+a+b, oneWayEnough))
	}
}

// Stalled tells whether bytes of one side wait for room at the other.
func (r *Relay) Stalled(from Side) bool { return !r.dirs[from].empty() }

// HalfClosed tells whether exactly one direction has ended and is delivered.
func (r *Relay) HalfClosed() bool { return r.dirs[A].over() != r.dirs[B].over() }

// Failed is the side that failed first and how; errno 0 means that none did. A reset after a FIN is EPIPE.
func (r *Relay) Failed() (Side, syscall.Errno) { return r.victim, syscall.Errno(r.errno) }

func (r *Relay) fd(s Side) int { return int(r.sides[s].fd) }
