package tcp

import (
	"errors"
	"net/netip"

	"sluice/redir/count"
	"sluice/redir/greet"
	"sluice/redir/outbound"
	"sluice/redir/socket"
)

// server is what a conn needs until its outbound's server carries it.
type server struct {
	at    socket.Endpoint // where it is dialled
	state greet.State     // of its answer
	said  int64           // ns of Reactor.Now: when it was told something last
	again bool            // a trial failed, see greet; this one is told one thing at a time
}

var errUnresolved = errors.New("the name of the outbound's server has no address yet")

// hasServer reports whether an outbound's server carries c.
func (c *conn) hasServer() bool { return c.way.Out.Kind.HasServer() }

// firstOf is the address that a way's conns to at dial first; invalid for none.
func firstOf(way *outbound.Way, at netip.AddrPort) netip.AddrPort {
	switch {
	case way.Out.Kind == outbound.Block:
		return netip.AddrPort{}
	case !way.Out.Kind.HasServer():
		return at
	}
	all := way.Out.Dests.For(netip.Addr{}, false)
	if len(all) == 0 {
		return netip.AddrPort{}
	}
	return all[0]
}

// dialServer begins the handshake with the server of c's way, or takes the fallback
// at once where the server is down.
func (c *conn) dialServer() {
	if !c.way.Out.Usable(c.w.r.Now()) {
		if !c.fallsBack() {
			c.w.counters.Add(count.FailedUpstreamUnreachable, 1) // that it went down was told
			c.abort(count.FailedUpstreamUnreachable)
		}
		return
	}
	if c.upstream.fd < 0 {
		first := firstOf(c.way, netip.AddrPort{})
		if !first.IsValid() {
			c.notReached(count.RefusedUnresolved, errUnresolved)
			return
		}
		if errno := c.turnTo(first); errno != 0 {
			c.fail(count.FailedNoResource, errno)
			return
		}
	}
	at := c.dialled()
	if cause := c.w.shared.admission.CheckForward(at); cause != 0 {
		c.fail(cause, nil)
		return
	}
	c.dial(at)
}

// notReached ends a conn that reached no address of where it is to go, or takes the
// fallback of its way.
func (c *conn) notReached(cause count.Counter, err error) {
	if !c.hasServer() {
		c.fail(cause, err)
		return
	}
	c.way.Out.Failed(c.w.r.Now(), err)
	if !c.fallsBack() {
		c.fail(cause, err)
	}
}

// fallsBack goes the way that is taken where c's server cannot be reached, and
// reports whether there is one. The client's bytes wait meanwhile, and the connect
// timeout begins anew.
func (c *conn) fallsBack() bool {
	next := c.way.Fallback
	if next == nil {
		return false
	}
	c.w.counters.Add(count.Fallbacks, 1)
	c.closeEnd(&c.upstream)
	c.way, c.active = next.Now(), c.w.r.Now()
	c.need().server = server{}
	c.w.conns.dial(c)
	c.follow()
	return true
}
