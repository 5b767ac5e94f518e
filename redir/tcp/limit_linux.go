package tcp

import (
	"time"

	"golang.org/x/sys/unix"

	"sluice/redir/count"
)

// limit names the time limit that a conn's timer is armed for.
type limit uint8

const (
	noLimit limit = iota
	headerLimit
	sniffLimit
	connectLimit
	idleLimit
	halfCloseLimit
	lingerLimit
)

// arm sets the timer for l. A timer that fires sooner than it must is left
// alone: Expired looks at the true limit and arms for the rest.
func (c *conn) arm(l limit) {
	c.armedFor = l
	d := c.allowed(l)
	if c.state == relaying {
		d = min(d, c.untilGuard())
	}
	if c.timer.Armed() && c.timer.Deadline() <= c.w.r.Now()+int64(d) {
		return
	}
	c.w.r.Arm(&c.timer, c, d)
}

func (c *conn) allowed(l limit) time.Duration {
	switch l {
	case headerLimit:
		return headerPatience
	case sniffLimit:
		return c.w.set.SniffTimeout
	case connectLimit:
		return c.connectTimeout()
	case halfCloseLimit:
		return c.w.set.HalfCloseTimeout
	case lingerLimit:
		return c.extra.linger.pause
	}
	return c.w.set.IdleTimeout
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
	case headerLimit:
		c.refuseHeader(count.RefusedProxyLate, errHeaderLate)
		return
	case sniffLimit:
		c.look(true)
		return
	case connectLimit:
		if c.blocked() {
			return
		}
		if c.state == greeting {
			c.greetLate(now)
			return
		}
		c.dialFailed(count.FailedUpstreamTimeout, unix.ETIMEDOUT)
		return
	}
	if left := c.active + int64(c.allowed(c.armedFor)) - now; left > 0 {
		c.guard(now, time.Duration(left))
		return
	}
	cause := count.TimedOutIdle
	if c.armedFor == halfCloseLimit {
		cause = count.TimedOutHalfClosed
	}
	c.w.counters.Add(cause, 1)
	c.abort(cause)
}
