package tcp

import (
	"net/netip"
	"strings"

	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/route"
	"sluice/redir/socket"
)

// wanted is where the client was going, wherever it is dialled: by that the rules
// decide. A forward's clients were going where that leads.
func (c *conn) wanted() netip.AddrPort {
	dest := c.dest.AddrPort()
	if c.way.In.Kind == inbound.Direct {
		return dest
	}
	if first, err := c.way.In.Kind.Dest(c.client.fd, dest.Addr()); err == nil {
		return first
	}
	return dest
}

// decide finds the way of a client that was going to dest, and what comes first on
// it: where the rules want a name, the way is not known yet.
func (w *Worker) decide(in *inbound.Inbound, client, dest netip.AddrPort) (*outbound.Way, connState) {
	f := route.Flow{Network: route.TCP, Client: client, Dest: dest}
	way, needsName := w.set.Router.Decide(in, &f)
	if needsName {
		return w.set.Router.Way(in, route.Final), sniffing
	}
	return way, dialing
}

// named finds the way of a conn whose name is known now, "" for none, and goes on
// with it.
func (c *conn) named(name string) {
	in := c.way.In
	c.name = strings.Clone(name) // it is where the next client's will be
	f := route.Flow{Network: route.TCP, Client: c.from(), Dest: c.wanted(), Name: name, Named: true}
	c.way, _ = c.w.set.Router.Decide(in, &f)
	c.w.conns.dial(c)
	c.follow()
}

// follow goes the way that was found.
func (c *conn) follow() {
	at := c.dest.AddrPort()
	if c.way.Port != 0 {
		at = netip.AddrPortFrom(at.Addr(), c.way.Port)
		c.dest = socket.EndpointOf(at)
	}
	switch c.way.Out.Kind {
	case outbound.Block:
		c.block()
	case outbound.Socks, outbound.HTTP:
		c.dialServer()
	default:
		if c.upstream.fd < 0 {
			if errno := c.turnTo(at); errno != 0 {
				c.fail(count.FailedNoResource, errno)
				return
			}
		}
		c.dial(at)
	}
}

// block refuses a conn, or leaves it without an answer until the connect timeout is
// over.
func (c *conn) block() {
	c.w.counters.Add(count.RefusedBlocked, 1)
	if !c.way.Out.Silent {
		c.abort(count.RefusedBlocked)
		return
	}
	c.armDial()
}

// blocked ends a conn that was left without an answer for long enough.
func (c *conn) blocked() bool {
	if c.way.Out.Kind != outbound.Block {
		return false
	}
	c.abort(count.RefusedBlocked)
	return true
}
