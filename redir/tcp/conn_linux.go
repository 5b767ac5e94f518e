package tcp

import (
	"net/netip"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/outbound"
	"sluice/redir/record"
	"sluice/redir/socket"
	"sluice/splice"
)

// connState is where a conn stands in its life.
type connState uint8

const (
	dialing   connState = iota // upstream's handshake is under way
	awaiting                   // a front's header is
	sniffing                   // the client's first bytes are: they decide the way
	greeting                   // a server's answer is: it carries the conn from then on
	relaying                   // bytes move
	lingering                  // one side failed; the other is reset once it has what was sent to it
	closed
)

// begins reports whether nothing is relayed yet.
func (s connState) begins() bool { return s < relaying }

// dials reports whether a client's dial is under way, or about to begin.
func (s connState) dials() bool { return s.begins() && s != awaiting }

// interest is what both ends ask of the reactor, once.
const interest = loop.Readable | loop.Writable | loop.ReadHangup | loop.Urgent

// conn is a diverted TCP connection and its upstream. It belongs to one
// worker, from accept to close.
type conn struct {
	w        *Worker
	way      *outbound.Way // while it is not known, that of flows that no rule is for
	client   end
	upstream end
	relay    splice.Relay
	timer    loop.Timer
	active   int64         // ns of Reactor.Now at the last edge; before there was one, when the dial or the wait for a header began
	of       *admit.Client // whose it is, which holds it and its dial
	dest     socket.Endpoint
	port     uint16 // the client's
	tos      uint8  // of the upstream; 0: the kernel's own
	state    connState
	armedFor limit
	traits   traits
	extra    *extra // nil: none

	prev, next *conn

	id    record.ID
	start int64         // ns of Reactor.Now: when it was accepted
	name  string        // that was found in the client's first bytes; "": none, or nobody looked
	cause count.Counter // of its end; 0: none yet
}

// traits are what is true of a conn: a bit each, since a conn has no byte to
// spare in its size class.
type traits uint8

const (
	isStream       traits = 1 << iota // the reactor knows that it is one
	isGuarded                         // its peers are watched; see guard_linux.go
	isFrozen                          // its buffers are; see stall_linux.go
	isAwaitingMore                    // its client's next bytes alone bring no edge; see sniff_linux.go
	isHeard                           // its upstream has sent something
	isTold                            // its record was put into the feeds
	isResting                         // a side waits for what its client may; see rest_linux.go
	isGathered                        // it will be pumped in this turn; see together_linux.go
)

func (c *conn) has(t traits) bool { return c.traits&t != 0 }

func (c *conn) set(t traits, on bool) {
	if c.traits &^= t; on {
		c.traits |= t
	}
}

// end is one of a conn's two sockets, as the reactor's handler of it.
type end struct {
	conn *conn
	fd   int // -1: not open
}

func (c *conn) from() netip.AddrPort { return netip.AddrPortFrom(c.of.Addr(), c.port) }

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
	switch c.state {
	case dialing:
		c.dialEdge(e, ev)
		return
	case awaiting:
		c.awaitEdge(ev)
		return
	case sniffing:
		c.sniffEdge(ev)
		return
	case greeting:
		c.greetEdge(e, ev)
		return
	}
	if ev != 0 {
		c.active = c.w.r.Now()
	}
	switch c.state {
	case relaying:
		c.relay.Notify(c.side(e), splice.Events(ev))
		if ev != 0 && c.relay.Heavy() {
			c.w.r.Again(c.client.fd) // those who move little come first
			return
		}
		if ev == 0 {
			c.pump()
		} else {
			c.gather()
		}
	case lingering:
		c.lingerEdge(ev)
	}
}
