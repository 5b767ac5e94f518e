package tcp

// connList links conns of one worker, the newest first.
type connList struct{ head, tail *conn }

func (l *connList) add(c *conn) {
	c.prev, c.next = nil, l.head
	if l.head != nil {
		l.head.prev = c
	} else {
		l.tail = c
	}
	l.head = c
}

func (l *connList) remove(c *conn) {
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
}

// connPool keeps some of the conns that ended for the next ones: with nothing to
// collect, the garbage collector hardly runs.
type connPool struct {
	spare *conn // linked by next
	kept  int
}

// mostSpares bounds the conns that a worker keeps, to 2 MiB.
const mostSpares = 8192

// get returns a conn in its zero state.
func (p *connPool) get() *conn {
	c := p.spare
	if c == nil {
		return new(conn)
	}
	p.spare = c.next
	p.kept--
	*c = conn{}
	return c
}

// put takes a closed conn, which is in no list. A turn that was asked for it with
// Again may still come, and finds it closed or does a new owner no harm.
func (p *connPool) put(c *conn) {
	if p.kept < mostSpares {
		c.next = p.spare
		p.spare = c
		p.kept++
	}
}
