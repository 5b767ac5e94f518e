package tcp

import "sluice/redir/record"

// connList holds the conns of one worker: those whose upstream has not answered
// yet, and the others. It keeps some of those that ended for the next ones: with
// nothing to collect, the garbage collector hardly runs.
type connList struct {
	dialing chain // in the order in which they began to, or to await a header
	running chain // as scan has left it
	spare   *conn // linked by next
	kept    int   // spares

	worker int      // index
	places []*conn  // all of them, each at the place that its ID names; nil where there is none
	free   []uint32 // places
	serial uint64   // of the conn that came last
}

// chain links conns: the head came last.
type chain struct {
	head, tail *conn
	n          int
}

// mostSpares bounds the conns that a worker keeps, to 2 MiB.
const mostSpares = 8192

// add links a conn in its zero state, which dials.
func (l *connList) add() *conn {
	c := l.spare
	if c != nil {
		l.spare = c.next
		l.kept--
		*c = conn{}
	} else {
		c = new(conn)
	}
	place := uint32(len(l.places))
	if n := len(l.free); n > 0 {
		place = l.free[n-1]
		l.free = l.free[:n-1]
		l.places[place] = c
	} else {
		l.places = append(l.places, c)
	}
	l.serial++
	c.id = record.ConnID(l.worker, place, l.serial)
	l.dialing.push(c)
	return c
}

// of is the conn of an ID, or nil.
func (l *connList) of(id record.ID) *conn {
	if place := id.Place(); int(place) < len(l.places) {
		if c := l.places[place]; c != nil && c.id == id {
			return c
		}
	}
	return nil
}

// run notes that the upstream of c, which was dialing, has answered.
func (l *connList) run(c *conn) {
	l.dialing.take(c)
	c.state = relaying
	l.running.push(c)
}

// dial notes that c, which was awaiting a header, dials from now on.
func (l *connList) dial(c *conn) {
	l.dialing.take(c)
	c.state = dialing
	l.dialing.push(c)
}

// remove takes a conn away, and makes it closed.
func (l *connList) remove(c *conn) {
	if c.state.begins() {
		l.dialing.take(c)
	} else {
		l.running.take(c)
	}
	c.state = closed
	l.places[c.id.Place()] = nil
	l.free = append(l.free, c.id.Place())
}

// keep takes a conn that was removed, and given back all that it held.
func (l *connList) keep(c *conn) {
	if l.kept < mostSpares {
		c.next = l.spare
		l.spare = c
		l.kept++
	}
}

// each calls f with every conn; f may end the one that it is given.
func (l *connList) each(f func(*conn)) {
	for _, first := range []*conn{l.dialing.head, l.running.head} {
		for c := first; c != nil; {
			next := c.next
			f(c)
			c = next
		}
	}
}

func (l *chain) push(c *conn) {
	c.prev, c.next = nil, l.head
	if l.head != nil {
		l.head.prev = c
	} else {
		l.tail = c
	}
	l.head = c
	l.n++
}

func (l *chain) take(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.tail = c.prev
	}
	c.prev, c.next = nil, nil
	l.n--
}

// scan calls f with up to n conns, those first that it has not called with for
// the longest time; f may end the one that it is given.
func (l *chain) scan(n int, f func(*conn)) {
	for range min(n, l.n) {
		c := l.tail
		if c == nil {
			return
		}
		l.take(c)
		l.push(c)
		f(c)
	}
}
