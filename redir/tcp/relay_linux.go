package tcp

import (
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/redir/count"
	"sluice/splice"
)

// pump moves what can be moved, and acts on what the relay says of it.
func (c *conn) pump() {
	switch c.relay.Pump() {
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
		c.close()
	case splice.Broken:
		side, errno := c.relay.Failed()
		failed := &c.client
		if side == upstreamSide {
			failed = &c.upstream
		}
		if !peersDoing(errno) {
			c.w.counters.Add(count.FailedRelay, 1)
			c.w.log.Warn(count.FailedRelay, c.w.r.Now()).Str("inbound", c.way.In.Tag).Stringer("client", c.from()).
				Stringer("dest", c.dest.AddrPort()).Err(errno).Msg("connection broken off")
			c.reset(failed) // it lives
		}
		c.breakOff(failed)
	}
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
