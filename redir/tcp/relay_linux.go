package tcp

import (
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/splice"
)

// pump moves what can be moved, and acts on what the relay says of it.
func (c *conn) pump() {
	up, down := c.relay.Moved(clientSide), c.relay.Moved(upstreamSide)
	status := c.move()
	c.count(up, down)
	if !c.has(isHeard) && c.relay.Moved(upstreamSide) > 0 {
		c.set(isHeard, true)
		c.w.counters.Took(count.FirstByteTime, c.w.r.Now()-c.start)
	}
	switch status {
	case splice.Blocked:
		c.watchHalfClose()
		bulk := c.relay.Bulk()
		if bulk {
			c.w.r.NotLone()
		}
		if stream := bulk && c.relay.OneWay(); stream != c.has(isStream) {
			c.set(isStream, stream)
			c.w.r.Stream(c.client.fd, interest, stream)
			c.w.r.Stream(c.upstream.fd, interest, stream)
		}
	case splice.Again:
		c.w.r.Again(c.client.fd)
	case splice.Finished:
		c.w.counters.Add(count.ConnsFinished, 1)
		c.close(count.ConnsFinished)
	case splice.Broken:
		c.broken()
	}
}

// preface has the other side of from receive data before all that from has to say.
func (c *conn) preface(from splice.Side, data []byte) {
	up, down := c.relay.Moved(clientSide), c.relay.Moved(upstreamSide)
	c.relay.Preface(from, data)
	c.count(up, down)
}

// count adds to the counters what was moved since it was so much.
func (c *conn) count(up, down uint64) {
	if n := c.relay.Moved(clientSide) - up; n > 0 {
		c.w.counters.Add(count.TCPBytesToUpstream, n)
	}
	if n := c.relay.Moved(upstreamSide) - down; n > 0 {
		c.w.counters.Add(count.TCPBytesToClient, n)
	}
}

// broken ends a conn one side of which has failed.
func (c *conn) broken() {
	side, errno := c.relay.Failed()
	failed, cause := &c.client, count.ConnsResetByClient
	if side == upstreamSide {
		failed, cause = &c.upstream, count.ConnsResetByUpstream
	}
	if !peersDoing(errno) {
		cause = count.FailedRelay
		c.w.log.Line(cause, c.w.r.Now()).Str("inbound", c.way.In.Tag).Stringer("client", c.from()).
			Stringer("dest", c.dest.AddrPort()).Err(errno).Msg("connection broken off")
	}
	c.w.counters.Add(cause, 1)
	c.tell(cause)
	if cause == count.FailedRelay {
		c.reset(failed) // it lives
	}
	c.breakOff(failed)
}

// peersDoing reports whether an error of a socket came from its peer or the
// way there. Others are the gateway's own: it is out of memory (ENOBUFS,
// ENOMEM), or a filter forbids the packet (EPERM).
func peersDoing(errno syscall.Errno) bool {
	switch errno {
	case unix.ECONNRESET, unix.EPIPE, unix.ETIMEDOUT, unix.ECONNREFUSED, unix.ECONNABORTED,
		unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EPROTO, unix.ENOPROTOOPT, unix.EACCES, unix.EOPNOTSUPP:
		return true
	}
	return false
}
