package tcp

import (
	"errors"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/greet"
	"sluice/redir/socket"
	"sluice/redir/upstream"
	"sluice/splice"
)

// mostHeard bounds what is read of a server at a time, in bytes: one answer, mostly.
const mostHeard = mostHeader / 2

var (
	errServerEnded = errors.New("the outbound's server ended the connection before it answered")
	errServerLate  = errors.New("the outbound's server did not answer in time")
	errReplyLate   = errors.New("the outbound's server did not reach the destination in time")
)

// greet begins the greeting of c's server, whose handshake is done. What it is
// told leaves with the handshake's last ACK.
func (c *conn) greet() {
	s := &c.extra.server
	if s.again {
		s.state = greet.Waiting()
	} else {
		s.state = c.way.Out.Proxy.Begin(c.w.r.Now())
	}
	c.state = greeting
	if c.say() {
		c.armGreeting()
	}
}

// say tells the server what is its turn, and reports whether it was taken.
func (c *conn) say() bool {
	s := &c.extra.server
	said := c.way.Out.Proxy.Append(c.w.header[mostHeard:mostHeard], &s.state, greet.Connect(c.dest.AddrPort()))
	s.said = c.w.r.Now()
	n, errno := socket.Send(c.upstream.fd, said, 0)
	switch {
	case errno != 0 && errno != unix.EAGAIN:
		c.brokeOff(errno)
		return false
	case n < len(said): // a new socket has room for more, unless memory is short
		c.fail(count.FailedNoResource, unix.ENOBUFS)
		return false
	}
	return true
}

// greetEdge reads what the server answers. The client's edges are kept for the
// relay.
func (c *conn) greetEdge(e *end, ev loop.Events) {
	switch {
	case e == &c.client:
		c.clientEdge(ev)
	case ev&(loop.Readable|loop.ReadHangup|loop.Hangup|loop.Error) != 0:
		c.hear(ev)
	}
}

// hear takes what the server has sent, until it waits.
func (c *conn) hear(ev loop.Events) {
	ends := ev&(loop.ReadHangup|loop.Hangup|loop.Error|loop.Urgent) != 0
	for {
		heard := c.w.header[:mostHeard]
		n, errno := socket.Receive(c.upstream.fd, heard, 0)
		switch {
		case errno == unix.EAGAIN:
			return
		case errno != 0:
			c.brokeOff(errno)
			return
		case n == 0:
			c.brokeOff(errServerEnded)
			return
		}
		if !ends && n < len(heard) { // the queue is empty: see copyOnce in package splice
			ev &^= loop.Readable
		}
		if !c.take(heard[:n], ev) || ev&loop.Readable == 0 {
			return
		}
	}
}

// take reads a part of the answer, and reports whether there is to be more.
func (c *conn) take(heard []byte, ev loop.Events) (more bool) {
	proxy, s := c.way.Out.Proxy, &c.extra.server
	for {
		n, verdict := proxy.Take(&s.state, heard)
		heard = heard[n:]
		switch verdict {
		case greet.More:
			upstream.AckNow(c.upstream.fd) // Nagle's algorithm may hold back the rest until then
			return true
		case greet.Say:
			if !c.say() {
				return false
			}
		case greet.Done:
			c.carried(heard, ev)
			return false
		default:
			c.refusedBy(verdict)
			return false
		}
	}
}

// carried begins the relay: what follows the server's answer is the destination's.
func (c *conn) carried(rest []byte, ev loop.Events) {
	s := &c.extra.server
	now := c.w.r.Now()
	if s.again && now-s.said < int64(greet.TrialPatience/2) { // it was not for the destination's sake
		c.way.Out.Proxy.AsksFirst()
	}
	c.way.Out.Reached(now)
	c.spareExtra()
	c.answered()
	c.relay.Notify(upstreamSide, splice.Events(ev))
	if len(rest) > 0 {
		c.preface(upstreamSide, rest)
	}
	c.pump()
}

// refusedBy ends a conn that its server will not, or cannot, carry.
func (c *conn) refusedBy(verdict greet.Verdict) {
	s, out := &c.extra.server, c.way.Out
	cause := count.FailedProxy
	switch verdict {
	case greet.Unreachable:
		cause = count.FailedUpstreamUnreachable
	case greet.ConnRefused:
		cause = count.FailedUpstreamRefused
	case greet.TimedOut:
		cause = count.FailedUpstreamTimeout
	case greet.AuthFailed:
		cause = count.FailedProxyAuth
	}
	switch {
	case verdict != greet.Malformed:
		out.Reached(c.w.r.Now())
		if verdict.OfDest() && c.nextDest() {
			c.dialAgain()
			return
		}
	case s.state.IsTrial():
		c.greetAgain()
		return
	}
	c.fail(cause, out.Proxy.Failure(&s.state, verdict))
}

// brokeOff ends the greeting of a server that ended the connection before it
// carried it.
func (c *conn) brokeOff(err error) {
	if c.extra.server.state.IsTrial() {
		c.greetAgain()
		return
	}
	c.notReached(count.FailedProxy, err)
}

// greetAgain dials the server of a trial that failed a second time.
func (c *conn) greetAgain() {
	c.extra.server.again = true
	c.dialAgain()
}

// dialAgain begins anew with the server that c is dialled at.
func (c *conn) dialAgain() {
	at := c.dialled()
	c.extra.server.state = greet.State{}
	c.state = dialing
	if errno := c.turnTo(at); errno != 0 {
		c.fail(count.FailedNoResource, errno)
		return
	}
	c.dial(at)
}

// armGreeting bounds the greeting: a trial has its own patience. Where the server
// has one address, the dial's timer will do.
func (c *conn) armGreeting() {
	left := c.timeLeft()
	if c.extra.server.state.IsTrial() {
		left = min(left, greet.TrialPatience)
	}
	if !c.timer.Armed() || c.timer.Deadline() > c.w.r.Now()+int64(left) {
		c.w.r.Arm(&c.timer, c, left)
	}
}

// greetLate ends the greeting of a server that takes too long, unless it was not
// the connect timeout that is over. One that has chosen a method is there, and
// waits for the destination.
func (c *conn) greetLate(now int64) {
	s := &c.extra.server
	trialOver := s.state.IsTrial() && now-s.said >= int64(greet.TrialPatience)
	switch left := c.timeLeft() > 0; {
	case left && trialOver && s.state.HasMethod():
		c.greetAgain()
	case left:
		c.armGreeting()
	case s.state.HasMethod():
		c.way.Out.Reached(now)
		c.fail(count.FailedUpstreamTimeout, errReplyLate)
	default:
		c.notReached(count.FailedUpstreamTimeout, errServerLate)
	}
}
