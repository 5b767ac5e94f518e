package tcp

import (
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/route"
	"sluice/redir/socket"
	"sluice/redir/upstream"
	"sluice/splice"
)

// leadsTo finds out where the accepted client fd was going, and returns that and
// where it is to be dialled; false where it is not, and told why.
func (l *listener) leadsTo(fd int, from netip.AddrPort) (dest, at netip.AddrPort, ok bool) {
	w, in := l.w, l.in
	dest, err := in.Kind.Dest(fd, from.Addr())
	if err != nil {
		w.counters.Add(count.RefusedNoOriginalDest, 1)
		w.log.Line(count.RefusedNoOriginalDest, w.r.Now()).Str("inbound", in.Tag).Stringer("client", from).
			Err(err).Msg("no original destination: was this connection redirected?")
		return dest, at, false
	}
	at, cause := l.dialAt(dest, from.Addr())
	if cause == 0 && w.self.Is(unix.SOCK_STREAM, from, dest) {
		cause = count.RefusedOwnUpstream
	}
	if cause != 0 {
		w.counters.Add(cause, 1)
		w.log.Line(cause, w.r.Now()).Str("inbound", in.Tag).Stringer("client", from).
			Stringer("dest", dest).Msg("connection refused")
	}
	return dest, at, cause == 0
}

// start admits the accepted client fd, and begins what its way is: mostly, to dial
// its destination with the spare socket. It owns fd from here on.
func (l *listener) start(fd int, from netip.AddrPort) {
	w := l.w
	if socket.HasNoPeer(fd) && !socket.HasInput(fd) {
		w.counters.Add(count.ClientsGone, 1)
		unix.Close(fd)
		return
	}
	dest, at, ok := l.leadsTo(fd, from)
	if !ok {
		socket.Reset(fd)
		return
	}
	front := w.set.isFront(from.Addr())
	way, next := l.wayOf(from, dest, at, front)
	if next == dialing && way.Out.Kind == outbound.Block && !way.Out.Silent {
		w.counters.Add(count.RefusedBlocked, 1)
		socket.Reset(fd)
		return
	}
	of := l.hold(from, at, front)
	if of == nil {
		socket.Reset(fd)
		return
	}
	upstreamFD, errno := -1, syscall.Errno(0)
	first := firstOf(way, at)
	if next == dialing && first.IsValid() {
		upstreamFD, errno = l.upstreamFor(first)
	}
	if errno != 0 {
		w.counters.Add(count.FailedNoResource, 1)
		if front {
			of.Release()
		} else {
			of.Disconnect(true)
		}
		socket.Reset(fd)
		return
	}
	c := w.conns.add()
	c.w, c.way, c.of, c.port, c.dest, c.active, c.state = w, way, of, from.Port(), socket.EndpointOf(at), w.r.Now(), next
	c.start, c.tos = c.active, l.tosOf(fd)
	c.client = end{conn: c, fd: fd}
	c.upstream = end{conn: c, fd: upstreamFD}
	w.shared.conns.Add(1)
	if upstreamFD >= 0 {
		w.shared.admission.Opened(upstreamFD)
		if c.hasServer() {
			c.need().server.at = socket.EndpointOf(first)
		}
	}
	w.counters.Add(count.ConnsAccepted, 1)
	c.begin()
}

// wayOf is the way of a connection that was going to dest and is to be dialled at
// another, and what comes first on it. That of a front's client is not known yet.
func (l *listener) wayOf(from, dest, at netip.AddrPort, front bool) (*outbound.Way, connState) {
	if front {
		return l.w.set.Router.Way(l.in, route.Final), awaiting
	}
	if l.in.Kind == inbound.Direct {
		dest = at
	}
	return l.w.decide(l.in, from, dest)
}

// begin has c do what its state says.
func (c *conn) begin() {
	if err := c.w.r.Add(c.client.fd, interest, &c.client); err != nil {
		c.fail(count.FailedNoResource, err)
		return
	}
	c.relay.Start(c.w.workspace, c.client.fd, c.upstream.fd)
	switch c.state {
	case awaiting:
		c.await()
	case sniffing:
		c.sniff()
	default:
		c.follow()
	}
}

// dial starts the handshake with dest.
func (c *conn) dial(dest netip.AddrPort) {
	if err := c.connect(dest); err != nil {
		c.dialFailed(causeOf(err), err)
		return
	}
	fd := c.upstream.fd
	if err := c.w.r.Add(fd, interest, &c.upstream); err != nil {
		c.fail(count.FailedNoResource, err)
		return
	}
	c.armDial()
}

// dialEdge waits for the upstream's handshake to end. The client's edges are
// kept for the relay.
func (c *conn) dialEdge(e *end, ev loop.Events) {
	if e == &c.client {
		c.clientEdge(ev)
		return
	}
	if ev&(loop.Error|loop.Hangup) != 0 && !socket.HasInput(e.fd) {
		// An upstream that sent something before it reset is left to the relay:
		// asking for the error would take it away from the read that ends it.
		switch errno := socket.TakeError(e.fd); errno {
		case 0:
		case unix.ECONNRESET: // it did accept, and then reset
			if c.hasServer() {
				c.brokeOff(errno)
			} else {
				c.w.counters.Add(count.ConnsResetByUpstream, 1)
				c.abort(count.ConnsResetByUpstream)
			}
			return
		default:
			c.dialFailed(upstream.CauseOf(errno), errno)
			return
		}
	}
	if ev&(loop.Writable|loop.Readable|loop.ReadHangup) == 0 {
		return
	}
	if c.hasServer() {
		c.greet()
		return
	}
	c.answered()
	c.relay.Notify(upstreamSide, splice.Events(ev))
	c.introduce()
	c.pump()
	if c.state == relaying && c.relay.Moved(clientSide) == 0 {
		upstream.AckNow(e.fd)
	}
}

// clientEdge keeps an edge of the client for the relay.
func (c *conn) clientEdge(ev loop.Events) {
	c.relay.Notify(clientSide, splice.Events(ev))
	if ev&(loop.Error|loop.Hangup) != 0 && !socket.HasInput(c.client.fd) {
		c.clientGone() // and left nothing to deliver
	}
}

// clientGone ends a conn whose client gave up before it was relayed.
func (c *conn) clientGone() {
	c.w.counters.Add(count.ConnsResetByClient, 1)
	c.close(count.ConnsResetByClient)
}

// answered ends the dial: the upstream is there.
func (c *conn) answered() {
	c.w.counters.Took(count.ConnectTime, c.w.r.Now()-c.active)
	c.w.conns.run(c)
	c.of.Answered()
	c.active = c.w.r.Now()
	if c.w.shared.tight.Load() {
		c.freeze(true)
	}
	c.arm(idleLimit)
}
