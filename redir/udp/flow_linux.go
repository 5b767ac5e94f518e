package udp

import (
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/socket"
	"sluice/redir/upstream"
)

const (
	// bulkBuffer is the receive buffer of a flow which receives faster than one
	// at a time, and the send buffer of a write-back socket and of a flow which
	// sends bulkTurn in a turn, in bytes: the default holds three runs, while a
	// turn may bring as many as a batch has slots.
	bulkBuffer = 4 << 20
	bulkTurn   = 32 << 10

	// mostReplaced bounds how many sessions of a client end for a new one: another
	// worker may have taken the place of the first.
	mostReplaced = 8
)

// flow is one client's UDP session: an unconnected socket, whose port every
// remote sees and may write to (RFC 4787, REQ-1 and REQ-8). The worker that
// made it receives from it; any worker may send on it in a turn in which it
// found it in the table.
//
// One that a SOCKS5 server relays has a connection with that and a socket towards
// its relay instead (association).
//
// One that bears its client's address has none: remotes see the client's port,
// any worker sends by an outlet of its own, and replies come to any worker's
// return listener.
type flow struct {
	owner *Worker
	key   nat.Key
	way   *outbound.Way
	view  *view         // how its client sees its remotes; nil: as they are
	there *association  // what it has at a SOCKS5 server that relays it; nil: it has no such
	of    *admit.Client // who holds it
	name  *string       // of what its client wrote to first, where that was looked for; nil: none
	start int64         // ns of Reactor.Now
	up    traffic       // what its client has sent
	echo  echoMeter
	fd    int32 // -1: none
	id    uint32
	scope uint32 // interface index of a link-local client, else 0
	gso   loop.GSO
	wide  atomic.Bool     // has a large send buffer
	other atomic.Bool     // has written elsewhere than to a lookup's port
	first socket.Endpoint // what its client wrote to first

	unseen bool          // the kernel forwards its replies, past us
	told   bool          // remotes are told whose its datagrams are
	v6     bool          // its socket's family
	cause  count.Counter // of its end, for its owner

	// The owner's alone:
	reception
	entry *nat.Entry[*flow]

	down traffic // what remotes have sent; away from up, which another worker may be counting
}

// traffic is what went one way of a flow.
type traffic struct {
	bytes, datagrams atomic.Uint64
}

func (t *traffic) add(m *loop.Received) {
	t.bytes.Add(uint64(len(m.Payload)))
	t.datagrams.Add(uint64(m.Datagrams()))
}

func (f *flow) isSourced() bool { return f.fd < 0 && f.there == nil }

func (f *flow) client() netip.AddrPort { return f.key.Client() }

// errManyEnding says why a datagram was dropped though a session could have been
// ended for it.
var errManyEnding = errors.New("sessions end faster than their sockets can be closed")

// open makes the flow of a client that has none and writes to to, which bears its
// address or has a socket. It returns nil when there is nothing to make it of, or
// the client is sluice itself.
func (w *Worker) open(key nat.Key, way *outbound.Way, m *loop.Received, to netip.AddrPort, bears bool) *nat.Entry[*flow] {
	in := way.In
	if w.self.Is(unix.SOCK_DGRAM, m.Source, m.Dest) {
		w.refuse(count.RefusedOwnUpstream, in, m)
		return nil
	}
	if w.shared.short.Load() {
		w.refuse(count.RefusedPressure, in, m)
		return nil
	}
	switch {
	case way.Out.Kind == outbound.Socks:
		return w.openAssociated(key, way, m, to)
	case bears:
		return w.openSourced(key, way, m, to)
	case way.Path.Source.OfClients():
		if w.set.RequireSource {
			w.refuse(count.RefusedSource, in, m)
			return nil
		}
		w.counters.Add(count.SourceFallback, 1)
	}
	if w.endingAreMany() {
		w.counters.Add(count.DroppedNoSession, 1)
		w.dropped(count.FailedNoResource, 1, m.Source, m.Dest, errManyEnding)
		return nil
	}
	of := w.account(key, in, m)
	if of == nil {
		return nil
	}
	fd, isSpare, errno := w.socketFor(way, to.Addr())
	if errno != 0 {
		of.End()
		w.counters.Add(count.DroppedNoSession, 1)
		w.dropped(count.FailedNoResource, 1, m.Source, m.Dest, errno)
		return nil
	}
	f := w.newFlow(key, way, m, to, of)
	f.fd, f.v6 = int32(fd), !to.Addr().Is4()
	e, inserted := w.insert(f, in, m)
	if !inserted {
		of.End()
		w.r.Close(fd)
		return e
	}
	if isSpare && w.r.Adopt(fd, f) {
		return e
	}
	if err := w.r.Add(fd, loop.Readable, f); err != nil {
		w.dropped(count.FailedNoResource, 1, m.Source, m.Dest, err)
		if w.shared.flows.Remove(e) {
			w.end(e, count.FailedNoResource)
		}
		return nil
	}
	return e
}

// newFlow is the flow that m begins, without a socket yet.
func (w *Worker) newFlow(key nat.Key, way *outbound.Way, m *loop.Received, to netip.AddrPort, of *admit.Client) *flow {
	f := &flow{
		owner: w, fd: -1, key: key, way: way, of: of, scope: m.SourceScope, view: viewOf(way.In, m, to), start: w.r.Now(),
		told: way.Path.SendProxy.Datagrams(), first: socket.EndpointOf(m.Dest),
	}
	if w.opening != "" {
		name := strings.Clone(w.opening) // it is where the next one will be
		f.name = &name
	}
	return f
}

// insert puts f into its table, where there may be another of its client's
// already, which then is e.
func (w *Worker) insert(f *flow, in *inbound.Inbound, m *loop.Received) (e *nat.Entry[*flow], inserted bool) {
	w.lastFlow++
	f.id = w.lastFlow
	if w.noRuns {
		f.gso.Disable()
	}
	f.other.Store(!f.asks(m.Dest))
	now, timeouts := w.r.Now(), timeoutsOf(in, !f.other.Load())
	e, victim, inserted := w.shared.table(f).Insert(f.key, f, now, timeouts)
	if victim != nil {
		w.evict(victim)
	}
	if !inserted {
		return e, false
	}
	f.entry = e
	w.shared.addTrait(w.toUpstream.last.trait)
	w.counters.Add(count.FlowsOpened, 1)
	w.expireBy(now + min(timeouts.Brief, timeouts.Full))
	return e, true
}

// account takes a session for a client. Where the client has as many as it may,
// one of its own gives way (nat.Table.EvictOf); else the answer is nil, and told.
func (w *Worker) account(key nat.Key, in *inbound.Inbound, m *loop.Received) *admit.Client {
	of, refusal := w.shared.clients.Open(m.Source.Addr())
	for tries := 0; of == nil && tries < mostReplaced; tries++ {
		e := w.evictOf(key)
		if e == nil {
			break
		}
		w.counters.Add(count.FlowsReplaced, 1)
		w.end(e, count.FlowsReplaced)
		of, refusal = w.shared.clients.Open(m.Source.Addr())
	}
	if of != nil {
		return of
	}
	w.counters.Add(refusal.Cause, 1)
	if e := w.log.Line(refusal.Cause, w.r.Now()); e != nil { // the arguments would be allocated also for nil
		e.Str("inbound", in.Tag).Stringer("client", m.Source).Stringer("dest", m.Dest).Stringer("of", refusal.Of).
			Int("bound", refusal.Bound).Str("flag", refusal.Flag()).
			Msg("datagram refused: its client has as many sessions as it may")
	}
	return nil
}

// evictOf ends a session of a client's for another one, of whichever table.
func (w *Worker) evictOf(key nat.Key) (e *nat.Entry[*flow]) {
	for _, table := range w.shared.tables() {
		if e = table.EvictOf(key, w.r.Now()); e != nil {
			break
		}
	}
	return e
}

// socketFor is a socket towards a destination: a spare one, which is registered, or a
// new one.
func (w *Worker) socketFor(way *outbound.Way, dest netip.Addr) (fd int, isSpare bool, errno syscall.Errno) {
	if fd, isSpare = w.spares.take(way, !dest.Is4()); isSpare {
		return fd, true, 0
	}
	fd, errno = w.upstreamSocket(dest, &way.Path)
	return fd, false, errno
}

// upstreamSocket makes a socket of the destination's family. When fds have run out
// it gives up the spare ones or a write-back socket for it, and a session for the
// next; when ports have, which only a socket with an address takes at once, a
// session too.
func (w *Worker) upstreamSocket(dest netip.Addr, path *upstream.Path) (int, syscall.Errno) {
	fd, errno := upstream.Datagram(dest, path, w.set.ICMP)
	switch errno {
	case unix.EADDRINUSE:
		w.evictOne()
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
		w.evictOne()
		if w.spares.giveUp() || w.toClient.writeBacks.giveUpOne() {
			fd, errno = upstream.Datagram(dest, path, w.set.ICMP)
		}
	}
	if errno == 0 {
		w.shared.admission.Opened(fd)
	}
	return fd, errno
}

// hasPort reports whether f has a port of its own, which the first datagram
// takes (inet_autobind in net/ipv4/af_inet.c). When none is left in
// net.ipv4.ip_local_port_range, which is well below the default bound of the
// table, that fails with EAGAIN, just as a full send buffer does.
func (f *flow) hasPort() bool {
	local, err := socket.LocalAddr(int(f.fd))
	return err != nil || local.Port() != 0
}
