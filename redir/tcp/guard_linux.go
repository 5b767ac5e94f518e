package tcp

import (
	"time"

	"sluice/redir/count"
	"sluice/redir/socket"
)

// A conn is guarded from a peer that vanishes, a cable pulled or a NAT that
// forgot, in two ways. While it is silent, both sockets probe their peers: the
// kernel ends one that does not answer. While something that was sent is not
// acknowledged, the kernel sends no probe, and would send it again for a quarter
// of an hour (tcp_retries2): then the conn's timer looks, each lookPeriod.

// untilGuard is how long a conn may go on before it is guarded: short
// connections are spared the system calls for it.
func (c *conn) untilGuard() time.Duration {
	if c.has(isGuarded) {
		return c.lookPeriod()
	}
	wait := c.w.set.ConnectTimeout
	for _, k := range []socket.Keepalive{c.w.set.Client, c.w.set.Upstream} {
		if k.On() {
			wait = min(wait, k.Idle)
		}
	}
	return wait
}

// looks is how many times a conn is looked at in the time after which a peer
// that acknowledges nothing has vanished.
const looks = 4

// lookPeriod is the time from one look to the next; longest without keepalive,
// when nobody wants to know.
func (c *conn) lookPeriod() time.Duration {
	period := c.w.set.IdleTimeout
	for _, k := range []socket.Keepalive{c.w.set.Client, c.w.set.Upstream} {
		if k.On() {
			period = min(period, k.Patience()/looks)
		}
	}
	return period
}

// guard begins to watch the peers of a conn that has lived for a while, or
// looks whether one of them has vanished, and comes again within left.
func (c *conn) guard(now int64, left time.Duration) {
	if !c.has(isGuarded) {
		c.set(isGuarded, true)
		socket.SetKeepalive(c.client.fd, c.w.set.Client)
		socket.SetKeepalive(c.upstream.fd, c.w.set.Upstream)
	} else if e := c.vanished(now); e != nil {
		c.w.counters.Add(count.TimedOutPeer, 1)
		c.tell(count.TimedOutPeer)
		c.reset(e)
		c.breakOff(e)
		return
	}
	c.w.r.Arm(&c.timer, c, min(left, c.lookPeriod()))
}

// vanished returns the end whose peer acknowledges nothing any more, or nil.
// Nothing can wait for long where no edge came for longer than that: what an
// edge brings is sent at once.
func (c *conn) vanished(now int64) *end {
	for _, side := range []struct {
		end       *end
		keepalive socket.Keepalive
	}{{&c.client, c.w.set.Client}, {&c.upstream, c.w.set.Upstream}} {
		patience := side.keepalive.Patience()
		recent := now-c.active < int64(patience)+2*int64(c.lookPeriod())
		if side.keepalive.On() && recent && socket.HasVanished(side.end.fd, patience) {
			return side.end
		}
	}
	return nil
}
