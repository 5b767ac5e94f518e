package tcp

import (
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/socket"
)

// leastDial is how long each of a forward's addresses is given to answer, unless
// the connect timeout is over before: longer than until the first SYN is sent
// again (RFC 6298: 1 s).
const leastDial = 1500 * time.Millisecond

// dialAt is where a connection that was going to dest is to be dialled, and why
// not.
func (l *listener) dialAt(dest netip.AddrPort, client netip.Addr) (netip.AddrPort, count.Counter) {
	if l.in.Kind != inbound.Direct {
		dest = l.w.set.Ports.TCP(dest)
		return dest, l.w.shared.admission.Check(dest)
	}
	to := l.in.Dests.For(client, l.in.Path.Source.OfClients())
	if len(to) == 0 {
		return netip.AddrPort{}, count.RefusedUnresolved
	}
	return to[0], l.w.shared.admission.CheckForward(to[0])
}

// upstreamFor is a socket that can be connected to dest: the spare one, where that
// is of its family.
func (l *listener) upstreamFor(dest netip.AddrPort) (int, syscall.Errno) {
	family := socket.Family(dest.Addr())
	if family != l.family {
		return socket.New(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	}
	fd := l.spare
	l.spare = -1
	return fd, 0
}

// isServers reports whether a dial failed for what is amiss with its destination,
// or the way there, and not here.
func isServers(cause count.Counter) bool {
	switch cause {
	case count.FailedUpstreamRefused, count.FailedUpstreamUnreachable, count.FailedUpstreamTimeout, count.FailedUpstreamOther:
		return true
	}
	return false
}

// dialFailed goes on with the next of the addresses to which a forward leads, or
// ends the conn. The client's bytes wait meanwhile.
func (c *conn) dialFailed(cause count.Counter, err error) {
	if c.way.In.Kind != inbound.Direct || !isServers(cause) {
		c.fail(cause, err)
		return
	}
	at := c.dest.AddrPort()
	next, _, ok := c.way.In.Dests.After(at, c.of.Addr(), c.way.Path.Source.OfClients())
	c.way.In.Dests.Failed(at)
	if !ok || c.w.shared.admission.CheckForward(next) != 0 || c.timeLeft() <= 0 {
		c.fail(cause, err)
		return
	}
	if errno := c.turnTo(next); errno != 0 {
		c.fail(count.FailedNoResource, errno)
		return
	}
	c.w.counters.Add(count.DialsNext, 1)
	c.dial(next)
}

// turnTo gives c a new upstream, for another destination.
func (c *conn) turnTo(dest netip.AddrPort) syscall.Errno {
	fd, errno := socket.New(socket.Family(dest.Addr()), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if errno != 0 {
		return errno
	}
	c.closeEnd(&c.upstream)
	c.upstream.fd, c.dest = fd, socket.EndpointOf(dest)
	c.w.shared.admission.Opened(fd)
	c.relay.Replace(upstreamSide, fd)
	return 0
}

// suited is where c is to be dialled now that its client is known: a forward's
// first address depends on that.
func (c *conn) suited() netip.AddrPort {
	at := c.dest.AddrPort()
	if c.way.In.Kind != inbound.Direct {
		return at
	}
	to := c.way.In.Dests.For(c.of.Addr(), c.way.Path.Source.OfClients())
	if len(to) == 0 || c.w.shared.admission.CheckForward(to[0]) != 0 {
		return at
	}
	return to[0]
}

// timeLeft is how much of the connect timeout there is.
func (c *conn) timeLeft() time.Duration {
	return c.w.set.ConnectTimeout - time.Duration(c.w.r.Now()-c.active)
}

// armDial bounds the dial that has begun. Where a forward has more addresses, each
// is given its share of the time that is left.
func (c *conn) armDial() {
	left := c.timeLeft()
	if c.way.In.Kind == inbound.Direct {
		_, others, _ := c.way.In.Dests.After(c.dest.AddrPort(), c.of.Addr(), c.way.Path.Source.OfClients())
		left = min(left, max(left/time.Duration(1+others), leastDial))
	}
	c.armedFor = connectLimit
	c.w.r.Arm(&c.timer, c, left)
}
