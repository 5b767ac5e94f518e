package admit

import (
	"net/netip"
	"sync/atomic"

	"sluice/redir/count"
)

// held names what a client holds.
type held uint8

const (
	conns held = iota
	dials
	sessions
	kinds
)

// Client is what one address, or one network of them, holds. Whoever was given
// one holds something of it, and gives it back exactly once; after that it may
// be another's. Its methods may be called on any goroutine.
type Client struct {
	key    key
	shard  *clientShard // it stays the same
	within *Client      // the network; nil: none

	rations atomic.Pointer[ration] // how fast it may be, by inbounds that were asked for

	// Behind the shard's lock:
	held    [kinds]int32
	members int32 // of a network: its clients; of an address: what Hold took
	next    int64 // ns; when the rate is used up no more
}

// Addr is the client's address, IPv4 unmapped.
func (c *Client) Addr() netip.Addr { return c.key.addr() }

// Answered gives the dial of a connection back: its upstream has answered.
func (c *Client) Answered() {
	c.shard.mu.Lock()
	c.give(dials)
	c.shard.mu.Unlock()
}

// Disconnect gives a connection back, and its dial where it has not been.
func (c *Client) Disconnect(dialing bool) {
	c.shard.mu.Lock()
	if dialing {
		c.give(dials)
	}
	c.give(conns)
	c.shard.dropIdle(c)
	c.shard.mu.Unlock()
}

// Release gives back what Hold took.
func (c *Client) Release() {
	c.shard.mu.Lock()
	c.members--
	c.shard.dropIdle(c)
	c.shard.mu.Unlock()
}

// End gives a UDP session back.
func (c *Client) End() {
	c.shard.mu.Lock()
	c.give(sessions)
	c.shard.dropIdle(c)
	c.shard.mu.Unlock()
}

func (c *Client) take(what held) {
	c.held[what]++
	if c.within != nil {
		c.within.held[what]++
	}
}

func (c *Client) give(what held) {
	c.held[what]--
	if c.within != nil {
		c.within.held[what]--
	}
}

// mayConnect says what keeps the client from one more connection at now.
func (c *Client) mayConnect(b *Bounds, now int64, p Pace) Refusal {
	if r := c.refused(conns, b.Conns, count.RefusedClientConns); r.Cause != 0 {
		return r
	}
	if r := c.refused(dials, b.Dials, count.RefusedClientDials); r.Cause != 0 {
		return r
	}
	switch {
	case p.Interval == 0:
	case c.next-now > p.Burst:
		return Refusal{count.RefusedClientConnects, p.rate(), c.key.prefix()}
	case c.within != nil && c.within.next-now > p.Burst:
		return Refusal{count.RefusedClientConnects, ofNetwork(p.rate()), c.within.key.prefix()}
	}
	return Refusal{}
}

// refused says whether the client or its network has as many as it may.
func (c *Client) refused(what held, bound int, cause count.Counter) Refusal {
	switch {
	case bound == 0:
	case int(c.held[what]) >= bound:
		return Refusal{cause, bound, c.key.prefix()}
	case c.within != nil && int(c.within.held[what]) >= ofNetwork(bound):
		return Refusal{cause, ofNetwork(bound), c.within.key.prefix()}
	}
	return Refusal{}
}

// opened notes a connection at now (ns). Who may be faster than p (exempt) owes
// no more for it than one that may not.
func (c *Client) opened(now int64, p Pace) {
	c.next = min(max(c.next, now), now+p.Burst) + p.Interval
	if n := c.within; n != nil {
		n.next = min(max(n.next, now), now+p.Burst) + p.Interval*2/networkShare
	}
}

// isIdle reports whether the client holds nothing.
func (c *Client) isIdle() bool { return c.held == [kinds]int32{} && c.members == 0 }
