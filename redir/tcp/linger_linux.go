package tcp

import (
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/socket"
)

const (
	// lingerFirst and lingerMost bound the pause between two looks at the send
	// queue of a side that is to be reset.
	lingerFirst = 2 * time.Millisecond
	lingerMost  = 250 * time.Millisecond
)

// linger is how a conn waits before it resets the side that did not fail.
type linger struct {
	rest  *end
	pause time.Duration
	since int64
}

// breakOff ends a conn of which one side failed. What that side had sent is in
// the other's send queue, and a reset would purge it (tcp_disconnect in
// net/ipv4/tcp.c), so the reset waits until the queue is empty.
func (c *conn) breakOff(failed *end) {
	rest := &c.client
	if failed == rest {
		rest = &c.upstream
	}
	c.leaveRest()
	c.closeEnd(failed)
	c.state = lingering
	c.need().linger = linger{rest: rest, pause: lingerFirst, since: c.w.r.Now()}
	c.lingerLook(c.w.r.Now())
}

// lingerEdge ends the wait when the other side fails too.
func (c *conn) lingerEdge(ev loop.Events) {
	if ev&(loop.Error|loop.Hangup) != 0 && socket.HasFailed(c.extra.linger.rest.fd) {
		c.abort(0)
	}
}

// lingerLook looks whether everything was delivered; a reader that does not read
// is waited for as long as one of a conn that is half closed. The queue of a socket
// that was itself reset never empties, and the edge of that may have come
// before the wait began.
func (c *conn) lingerLook(now int64) {
	fd := c.extra.linger.rest.fd
	unsent, err := unix.IoctlGetInt(fd, unix.TIOCOUTQ)
	if err != nil || unsent == 0 || socket.HasFailed(fd) || now-c.extra.linger.since > int64(c.w.set.HalfCloseTimeout) {
		c.abort(0)
		return
	}
	c.armedFor = lingerLimit
	c.w.r.Arm(&c.timer, c, c.extra.linger.pause)
	c.extra.linger.pause = min(2*c.extra.linger.pause, lingerMost)
}
