package tcp

import (
	"net/netip"

	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/record"
	"sluice/redir/socket"
)

// placesPerLook bounds how many places one look at the conns passes, most of which
// may be empty.
const placesPerLook = 4096

// Records writes down conns, from a place on, until records is full or many places
// were looked at. It returns how many, and where the next look begins; 0: that was
// all. A conn that lives through all looks is seen once.
func (w *Worker) Records(from int, detail record.Detail, records []record.Record) (n, next int) {
	places := w.conns.places
	end := min(len(places), from+placesPerLook)
	for ; from < end && n < len(records); from++ {
		if c := places[from]; c != nil {
			c.record(detail, &records[n])
			n++
		}
	}
	if from >= len(places) {
		return n, 0
	}
	return n, from
}

// Record writes down the conn of an ID, and reports whether there is one.
func (w *Worker) Record(id record.ID, r *record.Record) bool {
	c := w.conns.of(id)
	if c != nil {
		c.record(record.Full, r)
	}
	return c != nil
}

// Kill resets both sides of the conn of an ID, and reports whether there was one.
func (w *Worker) Kill(id record.ID) bool {
	c := w.conns.of(id)
	if c == nil {
		return false
	}
	w.counters.Add(count.ConnsKilled, 1)
	c.abort(count.ConnsKilled)
	return true
}

// record writes down what is known of c. What only the kernel knows of a socket that
// is closed already is left out.
func (c *conn) record(detail record.Detail, r *record.Record) {
	dialed := c.dest.AddrPort()
	*r = record.Record{
		ID: c.id, State: c.standing(), Cause: c.cause, Inbound: c.way.In.Tag,
		Client: c.from(), Dest: dialed, Dialed: dialed, Name: c.name, Held: c.held(),
		Out: c.way.Out.Tag, Rule: c.way.Rule, Mark: c.way.Path.Mark, Start: c.start, Active: c.active,
		Up:   record.Traffic{Bytes: c.relay.Moved(clientSide)},
		Down: record.Traffic{Bytes: c.relay.Moved(upstreamSide)},
	}
	if detail == record.Brief {
		return
	}
	if c.client.fd >= 0 {
		r.Dest = c.asked()
	}
	if c.upstream.fd >= 0 {
		if at, err := socket.LocalAddr(c.upstream.fd); err == nil && at.Port() != 0 {
			r.Source = at
		}
		if c.hasServer() {
			r.Server = socket.PeerAddr(c.upstream.fd)
		}
	}
}

// asked is the address that the client connected to.
func (c *conn) asked() netip.AddrPort {
	if c.way.In.Kind != inbound.Direct {
		return c.wanted()
	}
	if at, err := socket.LocalAddr(c.client.fd); err == nil {
		return at
	}
	return c.dest.AddrPort()
}

// standing is where c stands.
func (c *conn) standing() record.State {
	switch c.state {
	case awaiting:
		return record.Awaiting
	case sniffing:
		return record.Sniffing
	case dialing:
		return record.Dialing
	case greeting:
		return record.Greeting
	case lingering:
		return record.Lingering
	case closed:
		return record.Ended
	}
	switch {
	case c.relay.HalfClosed():
		return record.HalfClosed
	case c.relay.Bulk():
		return record.Bulk
	}
	return record.Relaying
}

// tell notes the cause of c's end, once, and puts its record into the feeds, before
// its sockets are closed.
func (c *conn) tell(cause count.Counter) {
	if c.has(isTold) {
		return
	}
	c.set(isTold, true)
	c.cause = cause
	if !c.w.shared.feeds.Wanted() {
		return
	}
	r := &c.w.told
	c.record(record.Full, r)
	r.State, r.End = record.Ended, c.w.r.Now()
	c.w.shared.feeds.Put(c.w.r.Index(), r)
}
