package tcp

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/proxyproto"
	"sluice/redir/socket"
	"sluice/splice"
)

const (
	// headerPatience is how long a front may take for its header: a segment that
	// was lost has come by then (the specification, 2: at least 3 s).
	headerPatience = 3 * time.Second
	// mostHeader bounds a header, in bytes, as HAProxy does (tune.bufsize): beyond
	// addresses, it holds what a client's certificate says, at most. It has to fit
	// into the receive queue, where it is looked at.
	mostHeader = 16 << 10
)

var (
	errHeaderAbsent    = errors.New("it begins with something else: does its sender send one?")
	errHeaderMalformed = errors.New("it makes no sense")
	errHeaderNoHost    = errors.New("it names a client whose address is no host's")
	errHeaderLong      = errors.New("it is longer than 16 KiB")
	errHeaderCut       = errors.New("the connection ended within it")
	errHeaderLate      = errors.New("it had not come after 3 s")
)

// isFront reports whether what comes from addr begins with a header.
func (s *Settings) isFront(addr netip.Addr) bool {
	for _, p := range s.Fronts {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// hold takes a connection of from into account. One of a front is nobody's yet,
// and bounds of clients are not for fronts.
func (l *listener) hold(from, dest netip.AddrPort, front bool) *admit.Client {
	if front {
		return l.w.shared.clients.Hold(from.Addr())
	}
	return l.account(from, dest)
}

// await waits for the header. It stays in the receive queue until it is whole.
func (c *conn) await() {
	c.state = awaiting
	c.arm(headerLimit)
}

// awaitEdge looks for the header.
func (c *conn) awaitEdge(ev loop.Events) {
	if ev&(loop.Readable|loop.ReadHangup|loop.Hangup|loop.Error) == 0 {
		return
	}
	fd, peeked := c.client.fd, c.w.header[:]
	got, errno := socket.Receive(fd, peeked, unix.MSG_PEEK)
	switch {
	case errno == unix.EAGAIN:
		return
	case got == 0: // it says nothing: a health check, or its client has gone
		c.w.counters.Add(count.ClientsGone, 1)
		c.abort(count.ClientsGone)
		return
	}
	h, n, verdict := proxyproto.Parse(peeked[:got])
	switch {
	case verdict == proxyproto.Absent:
		c.refuseHeader(count.RefusedProxyAbsent, errHeaderAbsent)
	case verdict == proxyproto.Malformed:
		c.refuseHeader(count.RefusedProxyMalformed, errHeaderMalformed)
	case n > mostHeader:
		c.refuseHeader(count.RefusedProxyMalformed, errHeaderLong)
	case verdict == proxyproto.Complete:
		if read, _ := socket.Receive(fd, peeked[:n], 0); read != n {
			c.refuseHeader(count.RefusedProxyMalformed, errHeaderCut)
			return
		}
		c.heard(&h, ev)
	case ev&(loop.ReadHangup|loop.Hangup|loop.Error) != 0:
		c.refuseHeader(count.RefusedProxyMalformed, errHeaderCut)
	}
}

// heard goes on with the client that the header names or, where it names none,
// with the front itself.
func (c *conn) heard(h *proxyproto.Header, ev loop.Events) {
	client, dest := c.from(), c.dest.AddrPort()
	if h.HasAddrs() {
		client = h.Source
		if a := client.Addr(); a.IsUnspecified() || a.IsMulticast() {
			c.refuseHeader(count.RefusedProxyMalformed, errHeaderNoHost)
			return
		}
	}
	of := c.listener().account(client, dest)
	if of == nil {
		c.abort(count.RefusedClientConns)
		return
	}
	c.of.Release()
	if h.HasAddrs() && c.way.In.Path.SendProxy.On() {
		c.need().reached = socket.EndpointOf(h.Dest)
	}
	c.of, c.port, c.active = of, client.Port(), c.w.r.Now()
	c.w.r.Cancel(&c.timer) // it would fire before the dial's time is over
	c.w.conns.dial(c)
	c.relay.Notify(clientSide, splice.Events(ev)|splice.In) // what follows the header brings no edge of its own
	c.dest = socket.EndpointOf(c.suited())
	if c.way, c.state = c.w.decide(c.way.In, client, c.wanted()); c.state == sniffing {
		if c.sniff(); c.state == sniffing {
			c.sniffEdge(ev | loop.Readable)
		}
		return
	}
	c.follow()
}

// listener is the one by which c came, or another of its inbound.
func (c *conn) listener() *listener {
	family, found := socket.Family(c.dest.AddrPort().Addr()), -1
	for i, l := range c.w.listeners {
		if l.in == c.way.In && (found < 0 || l.family == family) {
			found = i
		}
	}
	if found < 0 { // the inbound was closed, or changed, meanwhile
		return &listener{w: c.w, in: c.way.In, fd: -1, spare: -1}
	}
	return c.w.listeners[found]
}

// refuseHeader ends a conn that did not begin as it must.
func (c *conn) refuseHeader(cause count.Counter, why error) {
	c.w.counters.Add(cause, 1)
	if e := c.w.log.Line(cause, c.w.r.Now()); e != nil {
		e.Str("inbound", c.way.In.Tag).Stringer("peer", c.from()).Stringer("dest", c.dest.AddrPort()).Err(why).
			Msg("connection refused: its peer is one of --accept-proxy, and the PROXY header is amiss")
	}
	c.abort(cause)
}
