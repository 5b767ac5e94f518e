package tcp

// connList links the conns of one worker, in no order that matters, and keeps
// some of those that ended for the next ones: with nothing to collect, the
// garbage collector hardly runs.
type connList struct {
	head  *conn
	n     int
	spare *conn // linked by next
	kept  int   // spares
}

// mostSpares bounds the conns that a worker keeps, to 2 MiB.
const mostSpares = 8192

// add links a conn in its zero state.
func (l *connList) add() *conn {
	c := l.spare
	if c != nil {
		l.spare = c.next
		l.kept--
		*c = conn{}
	} else {
		c = new(conn)
	}
	c.next = l.head
	if l.head != nil {
		l.head.prev = c
	}
	l.head = c
	l.n++
	return c
}

// remove takes a closed conn away.
func (l *connList) remove(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.head = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	l.n--
	if l.kept < mostSpares {
		c.next = l.spare
		l.spare = c
		l.kept++
	}
}
