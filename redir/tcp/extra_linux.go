package tcp

import "sluice/redir/socket"

// extra is what few conns need, or all for a while, so that a conn that runs needs
// no room for it.
type extra struct {
	linger  linger          // while lingering
	reached socket.Endpoint // until it is dialled: what a front's client connected to, by the header; zero: not known
	server  server          // while its server is dialled, and greets
	rest    rest            // while a side rests

	next *extra // of spares
}

// mostExtras bounds the extras that a worker keeps.
const mostExtras = 4096

// extras are those of one worker that no conn has.
type extras struct {
	spare *extra // linked by next
	kept  int
}

// need is c's extra, a new one where it has none.
func (c *conn) need() *extra {
	if c.extra != nil {
		return c.extra
	}
	pool := &c.w.extras
	if x := pool.spare; x != nil {
		pool.spare = x.next
		pool.kept--
		*x = extra{}
		c.extra = x
	} else {
		c.extra = new(extra)
	}
	return c.extra
}

// spareExtra gives c's extra back.
func (c *conn) spareExtra() {
	x, pool := c.extra, &c.w.extras
	c.extra = nil
	if x != nil && pool.kept < mostExtras {
		x.next = pool.spare
		pool.spare = x
		pool.kept++
	}
}
