package tcp

import (
	"sluice/loop"
	"sluice/redir/inbound"
	"sluice/redir/socket"
	"sluice/splice"
)

// connState is where a conn stands in its life.
type connState uint8

const (
	dialing   connState = iota // upstream's handshake is under way
	relaying                   // bytes move
	lingering                  // one side failed; the other is reset once it has what was sent to it
	closed
)

// interest is what both ends ask of the reactor, once.
const interest = loop.Readable | loop.Writable | loop.ReadHangup | loop.Urgent

// conn is a diverted TCP connection and its upstream. It belongs to one
// worker, from accept to close.
type conn struct {
	w        *Worker
	in       *inbound.Inbound
	client   end
	upstream end
	relay    splice.Relay
	timer    loop.Timer
	active   int64           // ns of Reactor.Now at the last edge
	from     socket.Endpoint // the client's address
	dest     socket.Endpoint
	state    connState
	armedFor limit
	stream   bool    // the reactor knows that it is one
	guarded  bool    // its peers are watched; see guard_linux.go
	linger   *linger // while lingering

	prev, next *conn
}

// end is one of a conn's two sockets, as the reactor's handler of it.
type end struct {
	conn *conn
	fd   int // -1: not open
}

func (c *conn) side(e *end) splice.Side {
	if e == &c.client {
		return clientSide
	}
	return upstreamSide
}

const (
	clientSide   splice.Side = 0
	upstreamSide splice.Side = 1
)

// Ready takes an edge, or the further turn that pump asked for.
func (e *end) Ready(ev loop.Events) {
	c := e.conn
	if c.state == closed {
		return
	}
	if ev != 0 {
		c.active = c.w.r.Now()
	}
	switch c.state {
	case dialing:
		c.dialEdge(e, ev)
	case relaying:
		c.relay.Notify(c.side(e), splice.Events(ev))
		if ev != 0 && c.relay.Heavy() {
			c.w.r.Again(c.client.fd) // those who move little come first
			return
		}
		c.pump()
	case lingering:
		c.lingerEdge(ev)
	}
}
