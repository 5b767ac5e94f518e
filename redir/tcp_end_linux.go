package redir

import (
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
)

// limit names the time limit that a conn's timer is armed for.
type limit uint8

const (
	noLimit limit = iota
	connectLimit
	idleLimit
	halfCloseLimit
	lingerLimit
)

const (
	// lingerFirst and lingerMost bound the pause between two looks at the send
	// queue of a side that is to be reset.
	lingerFirst = 2 * time.Millisecond
	lingerMost  = 250 * time.Millisecond
)

// linger is how a conn waits before it resets the side that did not fail.
type linger struct {
	rest  *end
	pause time.Duration
	since int64
}

// arm sets the timer for l. A timer that fires sooner than it must is left
// alone: Expired looks at the true limit and arms for the rest.
func (c *conn) arm(l limit) {
	c.armedFor = l
	d := c.allowed(l)
	if c.timer.Armed() && c.timer.Deadline() <= c.w.r.Now()+int64(d) {
		return
	}
	c.w.r.Arm(&c.timer, c, d)
}

func (c *conn) allowed(l limit) time.Duration {
	switch l {
	case connectLimit:
		return c.w.set.connectTimeout
	case halfCloseLimit:
		return c.w.set.halfCloseTimeout
	case lingerLimit:
		return c.linger.pause
	}
	return c.w.set.idleTimeout
}

// watchHalfClose chooses the limit that holds while the relay waits.
func (c *conn) watchHalfClose() {
	want := idleLimit
	if c.relay.HalfClosed() {
		want = halfCloseLimit
	}
	if c.armedFor != want {
		c.arm(want)
	}
}

// Expired is the conn's timer.
func (c *conn) Expired(now int64) {
	switch c.armedFor {
	case lingerLimit:
		c.lingerLook(now)
		return
	case connectLimit:
		c.fail(FailedUpstreamTimeout, unix.ETIMEDOUT)
		return
	}
	left := c.active + int64(c.allowed(c.armedFor)) - now
	if left > 0 {
		// The conn outlived its handshake by the first limit: a peer that
		// vanishes must be noticed from now on. Asking so late spares the
		// system calls for short connections.
		setKeepalive(c.upstream.fd)
		c.w.r.Arm(&c.timer, c, time.Duration(left))
		return
	}
	cause := TimedOutIdle
	if c.armedFor == halfCloseLimit {
		cause = TimedOutHalfClosed
	}
	c.w.counters.add(cause, 1)
	c.abort()
}

// breakOff ends a conn of which one side failed. What that side had sent is in
// the other's send queue, and a reset would purge it (tcp_disconnect in
// net/ipv4/tcp.c), so the reset waits until the queue is empty.
func (c *conn) breakOff() {
	side, _ := c.relay.Failed()
	failed, rest := &c.client, &c.upstream
	if side == upstreamSide {
		failed, rest = rest, failed
	}
	c.closeEnd(failed)
	c.state = lingering
	c.linger = &linger{rest: rest, pause: lingerFirst, since: c.w.r.Now()}
	c.lingerLook(c.w.r.Now())
}

// lingerEdge ends the wait when the other side fails too.
func (c *conn) lingerEdge(ev loop.Events) {
	if ev&(loop.Error|loop.Hangup) != 0 && hasFailed(c.linger.rest.fd) {
		c.abort()
	}
}

// lingerLook looks whether everything was delivered; a reader that does not read
// is waited for as long as one of a conn that is half closed. The queue of a socket
// that was itself reset never empties, and the edge of that may have come
// before the wait began.
func (c *conn) lingerLook(now int64) {
	fd := c.linger.rest.fd
	unsent, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
	if err != nil || unsent == 0 || hasFailed(fd) || now-c.linger.since > int64(c.w.set.halfCloseTimeout) {
		c.abort()
		return
	}
	c.armedFor = lingerLimit
	c.w.r.Arm(&c.timer, c, c.linger.pause)
	c.linger.pause = min(2*c.linger.pause, lingerMost)
}
