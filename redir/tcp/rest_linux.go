package tcp

import (
	"time"

	"sluice/loop"
	"sluice/redir/shape"
	"sluice/splice"
)

// A conn whose client has a rate takes a piece of that before it moves anything, and
// gives back what it did not need. Where its piece is later, its side rests until then
// (package shape): what it sends waits in its socket, the other side goes on. Nothing
// is asked, and no timer runs, for a side that has nothing to say.
//
// A side that rests is neither stalled nor idle: its time is a part of what its client
// may, and it moves then. So a wake-up counts as activity.

// rest is where and until when a conn's sides rest.
type rest struct {
	conn  *conn
	of    *shape.Shaper
	timer loop.Timer
	at    [2]int64 // ns of Reactor.Now, by side; 0: it does not rest
}

// Expired is when the earlier of the sides has its piece.
func (r *rest) Expired(now int64) {
	r.conn.active = now
	r.conn.pump()
}

// move is splice.Relay.Pump within what c's client may.
func (c *conn) move() splice.Status {
	if !c.w.shared.clients.Rated() {
		c.leaveRest()
		return c.relay.Pump()
	}
	s := c.of.Shaper(c.way.In.ID)
	if c.has(isResting) && c.extra.rest.of != s {
		c.leaveRest() // the rate has changed
	}
	if s == nil {
		return c.relay.Pump()
	}
	given := splice.Allowance{c.allowance(&s.Up, s, clientSide), c.allowance(&s.Down, s, upstreamSide)}
	left := given
	status := c.relay.PumpWithin(&left)
	giveBack(&s.Up, left[clientSide])
	giveBack(&s.Down, left[upstreamSide])
	if status == splice.Blocked && (c.wantsMore(clientSide) || c.wantsMore(upstreamSide)) {
		status = splice.Again
	}
	c.armRest()
	return status
}

// isRated reports whether c's client has a rate.
func (c *conn) isRated() bool {
	return c.w.shared.clients.Rated() && c.of.Shaper(c.way.In.ID) != nil
}

// allowance is how many bytes a side may move now. Where it would and may not, it rests
// from now on.
func (c *conn) allowance(b *shape.Bucket, s *shape.Shaper, side splice.Side) uint64 {
	now := c.w.r.Now()
	switch {
	case !b.Bounded():
		return splice.Unlimited
	case c.rests(side) && c.extra.rest.at[side] > now:
		return 0
	case c.rests(side):
		c.wake(b, side)
		return uint64(b.Piece())
	case !c.relay.Wants(side):
		return 0
	}
	at := b.Take(now)
	if at <= now {
		return uint64(b.Piece())
	}
	b.Rest(now)
	r := &c.need().rest
	if !c.has(isResting) {
		r.conn, r.of = c, s
		c.set(isResting, true)
	}
	r.at[side] = at
	return 0
}

// giveBack returns what is left of an allowance.
func giveBack(b *shape.Bucket, left uint64) {
	if b.Bounded() {
		b.GiveBack(int64(left))
	}
}

// rests reports whether a side waits for its piece.
func (c *conn) rests(side splice.Side) bool { return c.has(isResting) && c.extra.rest.at[side] != 0 }

// wantsMore reports whether a side has used up what it was allowed, and has no place
// for more yet.
func (c *conn) wantsMore(side splice.Side) bool { return !c.rests(side) && c.relay.Wants(side) }

// wake ends the rest of a side.
func (c *conn) wake(b *shape.Bucket, side splice.Side) {
	r := &c.extra.rest
	b.Wake()
	r.at[side] = 0
	if r.at == [2]int64{} {
		c.set(isResting, false)
	}
}

// armRest has the timer fire when the next side may move.
func (c *conn) armRest() {
	if c.extra == nil {
		return
	}
	r := &c.extra.rest
	if !c.has(isResting) {
		c.w.r.Cancel(&r.timer)
		return
	}
	next := r.at[clientSide]
	if other := r.at[upstreamSide]; next == 0 || other != 0 && other < next {
		next = other
	}
	if !r.timer.Armed() || r.timer.Deadline() != next {
		c.w.r.Arm(&r.timer, r, time.Duration(next-c.w.r.Now()))
	}
}

// leaveRest ends the rest of both sides, and gives back what they have places for.
func (c *conn) leaveRest() {
	if !c.has(isResting) {
		return
	}
	r := &c.extra.rest
	for side, b := range []*shape.Bucket{clientSide: &r.of.Up, upstreamSide: &r.of.Down} {
		if c.rests(splice.Side(side)) {
			c.wake(b, splice.Side(side))
			b.GiveBack(b.Piece())
		}
	}
	c.w.r.Cancel(&r.timer)
}

// held reports whether c's client has used up what it may.
func (c *conn) held() bool {
	return c.w.shared.clients.Rated() && c.of.Shaper(c.way.In.ID).Held(c.w.r.Now())
}

// reshape has conns that rest go on by the rates that hold now.
func (w *Worker) reshape() {
	w.conns.each(func(c *conn) {
		if c.has(isResting) {
			c.pump()
		}
	})
}
