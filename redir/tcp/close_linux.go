package tcp

import (
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/socket"
)

// fail ends a conn that could not be carried: the client gets a reset.
func (c *conn) fail(cause count.Counter, err error) {
	c.w.counters.Add(cause, 1)
	line := c.w.log.Line
	if cause.Kind() == count.Failure && c.dialsOperators() {
		line = c.w.log.Warn
	}
	if e := line(cause, c.w.r.Now()); e != nil {
		e.Str("inbound", c.way.In.Tag).Stringer("client", c.from()).Stringer("dest", c.dest.AddrPort())
		if c.hasServer() {
			e.Str("outbound", c.way.Out.Tag).Stringer("server", c.dialled())
		}
		if source := c.source(); source != "" {
			e.Str("source", source)
		}
		e.Err(err).Msg("upstream connection failed")
	}
	c.abort(cause)
}

// dialsOperators tells whether what c dials is the operator's, or of his choice: an
// outbound's server, or where a forward leads.
func (c *conn) dialsOperators() bool {
	return c.state == dialing && c.hasServer() || c.way.In.Kind == inbound.Direct
}

// abort resets both sides for a cause, unless there was one already.
func (c *conn) abort(cause count.Counter) {
	c.tell(cause)
	c.reset(&c.client)
	c.reset(&c.upstream)
	c.close(cause)
}

// reset makes the close of e send a RST instead of a FIN.
func (c *conn) reset(e *end) {
	if e.fd < 0 {
		return
	}
	socket.SetLinger0(e.fd)
	c.closeEnd(e)
}

func (c *conn) closeEnd(e *end) {
	if e.fd < 0 {
		return
	}
	c.w.r.Close(e.fd)
	e.fd = -1
}

// close gives back all that the conn holds, which ends for a cause unless there was
// one already.
func (c *conn) close(cause count.Counter) {
	if c.state == closed {
		return
	}
	c.tell(cause)
	w := c.w
	was := c.state
	c.leaveRest()
	w.conns.remove(c)
	if was == awaiting {
		c.of.Release()
	} else {
		c.of.Disconnect(was.dials())
	}
	c.spareExtra()
	w.r.Cancel(&c.timer)
	c.relay.Release()
	c.closeEnd(&c.client)
	c.closeEnd(&c.upstream)
	w.counters.Add(count.ConnsClosed, 1)
	w.counters.Took(count.ConnDuration, w.r.Now()-c.start)
	w.shared.conns.Add(-1)
	w.conns.keep(c)
}
