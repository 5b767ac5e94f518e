package redir

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"sluice/loop"
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
	w        *worker
	in       *inbound
	client   end
	upstream end
	relay    splice.Relay
	timer    loop.Timer
	active   int64    // ns of Reactor.Now at the last edge
	from     endpoint // the client's address
	dest     endpoint
	state    connState
	armedFor limit
	stream   bool    // the reactor knows that it is one
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

// startConn admits the accepted client and begins to dial its destination with
// the socket upstream. It owns both from here on, and reports whether it took
// upstream.
func (w *worker) startConn(in *inbound, fd, upstream int, from netip.AddrPort) (took bool) {
	dest, err := originalDest(in.Kind, fd, from.Addr())
	if err != nil {
		w.counters.add(RefusedNoOriginalDest, 1)
		w.log.warn(RefusedNoOriginalDest, w.r.Now()).Str("inbound", in.Tag).Stringer("client", from).
			Err(err).Msg("no original destination: was this connection redirected?")
		resetFD(fd)
		return false
	}
	if cause := w.admission.check(dest); cause != 0 {
		w.counters.add(cause, 1)
		w.log.warn(cause, w.r.Now()).Str("inbound", in.Tag).Stringer("client", from).
			Stringer("dest", dest).Msg("connection refused")
		resetFD(fd)
		return false
	}
	c := w.conns.add()
	c.w, c.in, c.from, c.dest, c.active = w, in, endpointOf(from), endpointOf(dest), w.r.Now()
	c.client = end{conn: c, fd: fd}
	c.upstream = end{conn: c, fd: upstream}
	w.shared.conns.Add(1)
	w.counters.add(ConnsAccepted, 1)
	if err := w.r.Add(fd, interest, &c.client); err != nil {
		c.fail(FailedNoResource, err)
		return true
	}
	c.dial(dest)
	return true
}

// dial starts the handshake with dest.
func (c *conn) dial(dest netip.AddrPort) {
	fd := c.upstream.fd
	if err := dialTCP(fd, dest, c.w.set.mark); err != nil {
		c.fail(causeOf(err), err)
		return
	}
	if err := c.w.r.Add(fd, interest, &c.upstream); err != nil {
		c.fail(FailedNoResource, err)
		return
	}
	c.relay.Start(c.w.workspace, c.client.fd, fd)
	c.arm(connectLimit)
}

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
		c.pump()
	case lingering:
		c.lingerEdge(ev)
	}
}

// dialEdge waits for the upstream's handshake to end. The client's edges are
// kept for the relay.
func (c *conn) dialEdge(e *end, ev loop.Events) {
	if e == &c.client {
		c.relay.Notify(clientSide, splice.Events(ev))
		if ev&(loop.Error|loop.Hangup) != 0 && !hasInput(c.client.fd) {
			c.close() // the client gave up, and left nothing to deliver
		}
		return
	}
	if ev&(loop.Error|loop.Hangup) != 0 && !hasInput(e.fd) {
		// An upstream that sent something before it reset is left to the relay:
		// asking for the error would take it away from the read that ends it.
		switch errno := socketError(e.fd); errno {
		case 0:
		case unix.ECONNRESET:
			c.abort() // it did accept, and then reset
			return
		default:
			c.fail(causeOf(errno), errno)
			return
		}
	}
	if ev&(loop.Writable|loop.Readable|loop.ReadHangup) == 0 {
		return
	}
	c.state = relaying
	c.arm(idleLimit)
	c.relay.Notify(upstreamSide, splice.Events(ev))
	c.pump()
	if c.state == relaying && c.relay.Moved(clientSide) == 0 {
		ackNow(e.fd)
	}
}

// pump moves what can be moved, and acts on what the relay says of it.
func (c *conn) pump() {
	switch c.relay.Pump() {
	case splice.Blocked:
		c.watchHalfClose()
		bulk := c.relay.Bulk()
		if bulk {
			c.w.r.NotLone()
		}
		if stream := bulk && c.relay.OneWay(); stream != c.stream {
			c.stream = stream
			c.w.r.Stream(c.client.fd, interest, stream)
			c.w.r.Stream(c.upstream.fd, interest, stream)
		}
	case splice.Again:
		c.w.r.Again(&c.client)
	case splice.Finished:
		c.close()
	case splice.Broken:
		c.breakOff()
	}
}

// fail ends a conn that could not be carried: the client gets a reset.
func (c *conn) fail(cause Counter, err error) {
	c.w.counters.add(cause, 1)
	c.w.log.warn(cause, c.w.r.Now()).Str("inbound", c.in.Tag).Stringer("client", c.from.addrPort()).
		Stringer("dest", c.dest.addrPort()).Err(err).Msg("upstream connection failed")
	c.abort()
}

// abort resets both sides.
func (c *conn) abort() {
	c.reset(&c.client)
	c.reset(&c.upstream)
	c.close()
}

// reset makes the close of e send a RST instead of a FIN.
func (c *conn) reset(e *end) {
	if e.fd < 0 {
		return
	}
	setLinger0(e.fd)
	c.closeEnd(e)
}

func (c *conn) closeEnd(e *end) {
	if e.fd < 0 {
		return
	}
	c.w.r.Close(e.fd)
	e.fd = -1
}

// close gives back all that the conn holds.
func (c *conn) close() {
	if c.state == closed {
		return
	}
	c.state = closed
	w := c.w
	w.r.Cancel(&c.timer)
	c.relay.Release()
	c.closeEnd(&c.client)
	c.closeEnd(&c.upstream)
	w.counters.add(TCPBytesToUpstream, c.relay.Moved(clientSide))
	w.counters.add(TCPBytesToClient, c.relay.Moved(upstreamSide))
	w.counters.add(ConnsClosed, 1)
	w.shared.conns.Add(-1)
	w.conns.remove(c)
}
