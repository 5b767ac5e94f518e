package tcp

import (
	"time"

	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/redir/socket"
)

// Where places, fds or memory have run out and a client waits, this gives way, in
// this order: what is kept for later; the dial that has waited longest for an
// answer; what has been idle longest, half-closed conns before whole ones. Where
// nothing does, accepting pauses, and where that has lasted, clients are reset at
// once: one that waits for a moment is served better than one that is refused, one
// that waits for long is served worse.
const (
	// dialFloor is how long a dial is left to wait: an upstream that is there has
	// answered before the first SYN is sent again (RFC 6298: 1 s).
	dialFloor = int64(time.Second)
	// endedFloor and idleFloor are how long a conn may be idle before it gives
	// way, where one side has ended, and where none has.
	endedFloor = int64(10 * time.Second)
	idleFloor  = int64(time.Minute)
	// scanMost bounds how many conns are looked at for one place, and scanPause is
	// the time until the next look after one that found nothing.
	scanMost  = 256
	scanPause = int64(100 * time.Millisecond)
	// mostInVain bounds how much is given up for one client at a time: where the
	// machine's fds or memory have run out, others take what is given back.
	mostInVain = 4
	// waysForOthers bounds how many conns one worker ends at a time for clients of
	// the others.
	waysForOthers = 64
	// refuseAfter is how long nothing may be had before clients are refused, and
	// refusePause the time from one refusal of all to the next.
	refuseAfter = int64(5 * time.Second)
	refusePause = 100 * time.Millisecond
)

// makeWay gives up something of this worker's for a client that waits, and
// reports whether it did.
func (w *Worker) makeWay(kept bool) bool {
	if kept && w.workspace.GiveUpIdle() {
		return true
	}
	now := w.r.Now()
	if c := w.conns.dialing.tail; c != nil && now-c.active >= dialFloor {
		c.giveWay(count.GaveWayDial)
		return true
	}
	if now < w.nextScan {
		return false
	}
	if c := w.longestIdle(now); c != nil {
		c.giveWay(count.GaveWayIdle)
		return true
	}
	w.nextScan = now + scanPause
	return false
}

// longestIdle is, of those looked at, the conn that gives way; nil for none.
func (w *Worker) longestIdle(now int64) (found *conn) {
	ended := false // found has
	w.conns.running.scan(scanMost, func(c *conn) {
		if c.has(isResting) {
			return
		}
		idle, hasEnded := now-c.active, c.state == lingering || c.relay.HalfClosed()
		if idle < idleFloor && !(hasEnded && idle >= endedFloor) {
			return
		}
		if found == nil || hasEnded && !ended || hasEnded == ended && c.active < found.active {
			found, ended = c, hasEnded
		}
	})
	return found
}

// giveWay ends a conn for the sake of others.
func (c *conn) giveWay(cause count.Counter) {
	w := c.w
	w.counters.Add(cause, 1)
	if e := w.log.Line(cause, w.r.Now()); e != nil {
		e.Str("inbound", c.way.In.Tag).Stringer("client", c.from()).Stringer("dest", c.dest.AddrPort()).
			Dur("idle", time.Duration(w.r.Now()-c.active)).Msg("connection ended, to make way")
	}
	c.abort(cause)
}

// giveWayToOthers ends some for the places that other workers have asked for: the
// kernel shares connections out by their addresses, so those that are idle may all
// be here.
func (w *Worker) giveWayToOthers() {
	for range waysForOthers {
		wanted := w.shared.wanted.Load()
		if wanted <= 0 {
			return
		}
		if !w.makeWay(true) {
			return
		}
		w.shared.wanted.CompareAndSwap(wanted, wanted-1)
	}
}

// reserve is an fd that stands for one with which clients can be refused when
// there is no other: it takes one to accept a connection, if only to reset it.
type reserve struct {
	fd   int
	held bool
}

// take is best effort: without a reserve, clients wait.
func (r *reserve) take() {
	if r.held {
		return
	}
	if fd, errno := socket.New(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC); errno == 0 {
		r.fd, r.held = fd, true
	}
}

func (r *reserve) giveUp() {
	if r.held {
		unix.Close(r.fd)
		r.held = false
	}
}
