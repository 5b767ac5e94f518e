package udp

import (
	"net/netip"
	"time"
	"unique"

	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/outbound"
	"sluice/redir/record"
	"sluice/redir/socket"
	"sluice/redir/upstream"

	"golang.org/x/sys/unix"
)

// Session is a session as others than its worker may hold it, for as long as they
// like.
type Session struct{ entry *nat.Entry[*flow] }

// Sessions are those that there are, from any goroutine: some 30 ns each.
func (s *Shared) Sessions() []Session {
	all := make([]Session, 0, s.Flows())
	for _, table := range s.tables() {
		table.Range(func(e *nat.Entry[*flow]) bool {
			all = append(all, Session{e})
			return true
		})
	}
	return all
}

// ID names the session.
func (s Session) ID() record.ID { return s.entry.Value.recordID() }

// Owner is the index of its worker.
func (s Session) Owner() int { return s.entry.Value.owner.r.Index() }

// Record writes down a session of this worker's, and reports whether it goes on.
func (w *Worker) Record(s Session, detail record.Detail, r *record.Record) bool {
	if s.entry.Removed() {
		return false
	}
	s.entry.Value.record(s.entry, detail, r)
	return true
}

// Kill ends a session, and reports whether it was this call that did.
func (w *Worker) Kill(s Session) bool {
	if !w.shared.table(s.entry.Value).Remove(s.entry) {
		return false
	}
	w.counters.Add(count.FlowsKilled, 1)
	w.end(s.entry, count.FlowsKilled)
	return true
}

func (f *flow) recordID() record.ID { return record.SessionID(f.owner.r.Index(), f.id) }

// record writes down what is known of f, whose entry is e, on its owner's thread; of
// a flow without a socket, on any worker's.
func (f *flow) record(e *nat.Entry[*flow], detail record.Detail, r *record.Record) {
	now, first := f.owner.r.Now(), f.first.AddrPort()
	*r = record.Record{
		ID: f.recordID(), State: f.standing(e), Inbound: f.way.In.Tag, Client: f.client(), Dest: first, Dialed: f.dialed(),
		Out: f.way.Out.Tag, Rule: f.way.Rule, Mark: f.way.Path.Mark, Start: f.start, Active: now - e.Idle(now),
		Held: f.owner.shared.shaper(f).Held(now),
		Up:   record.Traffic{Bytes: f.up.bytes.Load(), Datagrams: f.up.datagrams.Load()},
		Down: record.Traffic{Bytes: f.down.bytes.Load(), Datagrams: f.down.datagrams.Load()},
	}
	if f.name != nil {
		r.Name = *f.name
	}
	switch {
	case detail == record.Brief:
	case f.there != nil:
		r.Server, r.Source = f.there.ends()
	case f.isSourced():
		r.Source = f.client()
	case !f.closed:
		r.Source = f.source(r.Dialed.Addr())
	}
}

// source is what dest sees of a flow with a socket; invalid where that has sent
// nothing yet.
func (f *flow) source(dest netip.Addr) netip.AddrPort {
	at, err := socket.LocalAddr(int(f.fd))
	switch {
	case err != nil || at.Port() == 0:
		return netip.AddrPort{}
	case at.Addr().IsUnspecified(): // the routes choose it, for each datagram
		if chosen := f.owner.routeTo(dest, f.way); chosen.IsValid() {
			return netip.AddrPortFrom(chosen, at.Port())
		}
	}
	return at
}

// knownRoute is the source that the routes have chosen.
type knownRoute struct {
	dest, source netip.Addr
	path         unique.Handle[upstream.Path]
	until        int64 // ns of Reactor.Now
}

// routePeriod (ns) is how long a source holds for records: those that are made at a
// time often have one destination.
const routePeriod = int64(time.Second)

// routeTo is the source that the routes choose towards dest by a way: that of a socket
// like a flow's, which is connected. It is invalid where there is none.
func (w *Worker) routeTo(dest netip.Addr, way *outbound.Way) netip.Addr {
	now, known := w.r.Now(), &w.route
	if known.dest == dest && known.path == way.Handle && now < known.until {
		return known.source
	}
	*known = knownRoute{dest: dest, path: way.Handle, until: now + routePeriod}
	fd, errno := upstream.Datagram(dest, &way.Path, false)
	if errno != 0 {
		return netip.Addr{}
	}
	defer unix.Close(fd)
	const discard = 9 // no packet leaves: connect of UDP asks the routes alone (ip4_datagram_connect)
	if socket.Connect(fd, netip.AddrPortFrom(dest, discard)) == 0 {
		if at, err := socket.LocalAddr(fd); err == nil {
			known.source = at.Addr()
		}
	}
	return known.source
}

// dialed is where what the client wrote to first is sent.
func (f *flow) dialed() netip.AddrPort {
	first := f.first.AddrPort()
	switch {
	case f.view == nil:
		return first
	case f.view.isForward():
		return f.view.dest
	}
	return f.view.out(first)
}

func (f *flow) standing(e *nat.Entry[*flow]) record.State {
	switch {
	case f.bulk:
		return record.Bulk
	case !e.Replied():
		return record.Unanswered
	}
	return record.Relaying
}

// ends are the server and what it sees, as far as there is a relay.
func (a *association) ends() (server, source netip.AddrPort) {
	if r := a.relay.Load(); r != nil && !r.closed {
		source, _ = socket.LocalAddr(r.fd)
	}
	return a.server, source
}

// tell puts the record of a flow that has left the table into the feeds, before its
// sockets are given up.
func (w *Worker) tell(e *nat.Entry[*flow]) {
	if !w.shared.feeds.Wanted() {
		return
	}
	f := e.Value
	f.record(e, record.Full, &w.ended)
	w.ended.State, w.ended.Cause, w.ended.End = record.Ended, f.cause, w.r.Now()
	w.shared.feeds.Put(w.r.Index(), &w.ended)
}
