package tcp

import (
	"cmp"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/resolve"
	"sluice/redir/socket"
)

// leastDial is how long each address of a forward, or of an outbound's server, is given to answer, unless
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
// the server has, or ends the conn. The client's bytes wait meanwhile.
func (c *conn) dialFailed(cause count.Counter, err error) {
	all, own := c.targets()
	if !isServers(cause) || all == nil {
		c.fail(cause, err)
		return
	}
	at := c.dialled()
	next, _, ok := all.After(at, c.of.Addr(), own)
	all.Failed(at)
	if !ok || c.w.shared.admission.CheckForward(next) != 0 || c.timeLeft() <= 0 {
		c.notReached(cause, err)
		return
	}
	if errno := c.turnTo(next); errno != 0 {
		c.fail(count.FailedNoResource, errno)
		return
	}
	c.w.counters.Add(count.DialsNext, 1)
	c.dial(next)
}

// targets are the addresses that c may be dialled at, and whether those come first
// that a client's own can reach; nil: it has one alone.
func (c *conn) targets() (all *resolve.Dests, own bool) {
	switch {
	case c.hasServer():
		return c.way.Out.Dests, false
	case c.way.In.Kind == inbound.Direct:
		return c.way.In.Dests, c.way.In.Path.Source.OfClients()
	}
	return nil, false
}

// nextDest has c lead to the next of a forward's addresses, and reports whether
// there is one: its server could not reach the one before.
func (c *conn) nextDest() bool {
	in := c.way.In
	if in.Kind != inbound.Direct {
		return false
	}
	at := c.dest.AddrPort()
	next, _, ok := in.Dests.After(at, c.of.Addr(), in.Path.Source.OfClients())
	in.Dests.Failed(at)
	if !ok || c.w.shared.admission.CheckForward(next) != 0 || c.timeLeft() <= 0 {
		return false
	}
	c.dest = socket.EndpointOf(next)
	c.w.counters.Add(count.DialsNext, 1)
	return true
}

// dialled is the address that c is dialled at.
func (c *conn) dialled() netip.AddrPort {
	if c.hasServer() && c.extra != nil {
		return c.extra.server.at.AddrPort()
	}
	return c.dest.AddrPort()
}

// turnTo gives c a new upstream, for another address.
func (c *conn) turnTo(dest netip.AddrPort) syscall.Errno {
	fd, errno := socket.New(socket.Family(dest.Addr()), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if errno != 0 {
		return errno
	}
	c.closeEnd(&c.upstream)
	c.upstream.fd = fd
	if c.hasServer() {
		c.need().server.at = socket.EndpointOf(dest)
	} else {
		c.dest = socket.EndpointOf(dest)
	}
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
	to := c.way.In.Dests.For(c.of.Addr(), c.way.In.Path.Source.OfClients())
	if len(to) == 0 || c.w.shared.admission.CheckForward(to[0]) != 0 {
		return at
	}
	return to[0]
}

// timeLeft is how much of the connect timeout there is.
func (c *conn) timeLeft() time.Duration {
	return c.connectTimeout() - time.Duration(c.w.r.Now()-c.active)
}

// connectTimeout is that of c's way.
func (c *conn) connectTimeout() time.Duration {
	return cmp.Or(c.way.Out.ConnectTimeout, c.w.set.ConnectTimeout)
}

// armDial bounds the dial that has begun. Where there are more addresses, each is
// given its share of the time that is left.
func (c *conn) armDial() {
	left := c.timeLeft()
	if all, own := c.targets(); all != nil {
		_, others, _ := all.After(c.dialled(), c.of.Addr(), own)
		left = min(left, max(left/time.Duration(1+others), leastDial))
	}
	c.armedFor = connectLimit
	c.w.r.Arm(&c.timer, c, left)
}
