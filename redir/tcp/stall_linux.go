package tcp

import (
	"time"

	"sluice/redir/count"
	"sluice/redir/socket"
)

// A reader that stalls fills the send queue of its own side, and then the receive
// queue of the other, up to what TCP has come to think that a flow of this speed
// needs: megabytes each, and they fill before anybody can tell a reader that
// stalls from one that pauses. So while memory is tight, no buffer grows: what
// runs keeps what it has, what is new stays as it began, and what is stalled is
// sent no more.
const (
	// narrowWindow is what a stalled conn's source may still send, in bytes.
	narrowWindow = 16 << 10
	// stalledScan bounds how many conns are looked at once a second.
	stalledScan = 8192
	// stallFloor is how long nothing may have moved on a stalled conn before it
	// is ended for want of memory.
	stallFloor = int64(10 * time.Second)
	// stallEnds bounds how many are ended at a time: memory may not be short
	// any more after those.
	stallEnds = 64
)

// freeze stops the buffers of c from growing, or lets them grow again.
func (c *conn) freeze(on bool) {
	if c.has(isFrozen) == on {
		return
	}
	c.set(isFrozen, on)
	for _, fd := range []int{c.client.fd, c.upstream.fd} {
		if on {
			socket.FreezeBuffers(fd)
		} else {
			socket.Thaw(fd)
		}
	}
}

// narrow bounds what the sources of c that nobody reads, or not yet, may still send,
// until freeze(false).
func (c *conn) narrow() {
	if c.relay.Stalled(clientSide) || c.rests(clientSide) {
		socket.NarrowWindow(c.client.fd, narrowWindow)
	}
	if c.relay.Stalled(upstreamSide) || c.rests(upstreamSide) {
		socket.NarrowWindow(c.upstream.fd, narrowWindow)
	}
}

func (c *conn) stalled() bool { return c.relay.Stalled(clientSide) || c.relay.Stalled(upstreamSide) }

// Stalled is how many of the worker's conns were stalled when it last looked;
// from any goroutine.
func (w *Worker) Stalled() int { return int(w.stalled.Load()) }

// lookAtStalled counts stalled conns, and sees to it that they hold no more than
// there is memory for. While memory is short, those end of which nothing has
// moved for long: each holds more than any other conn.
func (w *Worker) lookAtStalled() {
	w.stalled.Store(int64(w.workspace.Stalled()))
	tight, short := w.shared.tight.Load(), w.shared.short.Load()
	if !tight && w.frozen <= 0 {
		return
	}
	now, ends := w.r.Now(), 0
	w.conns.running.scan(stalledScan, func(c *conn) {
		if c.state != relaying {
			return
		}
		c.freeze(tight)
		stalled := c.stalled()
		if tight && (stalled || c.has(isResting)) {
			c.narrow()
		}
		if short && stalled && ends < stallEnds && now-c.active >= stallFloor {
			ends++
			c.giveWay(count.GaveWayStall)
		}
	})
	if w.frozen -= stalledScan; tight {
		w.frozen = w.conns.running.n
	}
}
