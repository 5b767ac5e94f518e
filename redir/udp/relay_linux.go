package udp

import (
	"bytes"
	"errors"
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/greet"
	"sluice/redir/socket"
)

// errNoHeader says why what a relay has sent went no further.
var errNoHeader = errors.New("its header is not SOCKS5's, is of a fragment, or names no address")

// relay is the socket towards the place at a SOCKS5 server where the datagrams of
// one session go and come from, each with a header that names the remote (RFC 1928
// section 7). It is connected, so that nobody else is heard. Its session's owner
// makes it, receives from it and ends it; any worker may send on it in a turn in
// which it found it.
type relay struct {
	a    *association
	fd   int
	at   netip.AddrPort
	gso  loop.GSO
	wide atomic.Bool // has a large send buffer

	reception // the owner's alone
}

// openRelay opens the socket towards at.
func (w *Worker) openRelay(a *association, at netip.AddrPort) (*relay, error) {
	fd, errno := w.upstreamSocket(at.Addr(), &a.way.Path)
	if errno != 0 {
		return nil, errno
	}
	r := &relay{a: a, fd: fd, at: at}
	if w.noRuns {
		r.gso.Disable()
	}
	err := error(nil)
	if errno := socket.Connect(fd, at); errno != 0 { // it takes a port: see hasPort
		err = errno
		if errno == unix.EAGAIN {
			w.evictOne()
		}
	} else {
		err = w.r.Add(fd, loop.Readable, r)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return r, nil
}

// retire closes the socket when no worker can be using it any more, after it can be
// found no longer.
func (r *relay) retire(w *Worker) {
	if !r.closed {
		r.closed = true
		w.r.Retire(r.fd)
	}
}

// departAssociated has a group leave by its session's relay or, where there is none,
// has it wait.
func (w *Worker) departAssociated(g *flowGroup) {
	q, a := &w.toUpstream, g.entry.Value.there
	r := a.relay.Load()
	for slot := g.head; slot != none; slot = q.next[slot] {
		m := &q.messages[slot]
		if r == nil {
			if r = a.wait(w, m); r == nil {
				continue
			}
		}
		w.pushRelayed(r, m, q.prefaces[slot][:0])
	}
	if r != nil {
		w.depart(r, r.fd, &r.gso)
	}
}

// pushRelayed adds what m holds; header is room for theirs.
func (w *Worker) pushRelayed(r *relay, m *loop.Received, header []byte) {
	dest, _ := r.a.f.sentTo(m)
	header = greet.AppendUDPHeader(header, dest)
	to := loop.Envelope{Dest: r.at, Connected: true, TOS: m.TOS}
	rest, whole := w.out.PushPrefix(&to, header, m.Payload, m.Segment, &r.gso)
	for !whole {
		w.depart(r, r.fd, &r.gso)
		w.send()
		rest, whole = w.out.PushPrefix(&to, header, rest, m.Segment, &r.gso)
	}
}

// sent implements departing.
func (r *relay) sent(w *Worker, result *loop.SendResult) {
	w.sentUp.add(result)
	if result.Dropped > 0 {
		w.dropped(count.DroppedSend, result.Dropped, r.a.f.client(), r.at, result.Errno)
	}
	if result.Bytes >= bulkTurn && r.wide.CompareAndSwap(false, true) {
		socket.SetSendBuffer(r.fd, bulkBuffer)
	}
}

// Ready receives what the relay passes on, on its owner's thread.
func (r *relay) Ready(ev loop.Events) {
	w := r.a.f.owner
	if r.closed || w.closed {
		return
	}
	if ev&loop.Error != 0 {
		w.icmp.passOnRelayed(r)
		socket.TakeError(r.fd) // reading it clears it
		if r.closed {
			return
		}
	}
	w.receiveFrom(r, ev)
}

func (r *relay) socket() (int, *reception) { return r.fd, &r.reception }

// heard implements receiver.
func (r *relay) heard(now int64) {
	r.a.heard = true
	r.a.f.entry.TouchReply(now)
}

// take implements receiver.
func (r *relay) take(slot int32) { r.a.f.owner.takeRelayed(r.a.f, slot) }

// takeRelayed takes what slot has received from its header, or headers: of a run,
// those that follow each other and are alike stay one.
func (w *Worker) takeRelayed(f *flow, slot int32) {
	q := &w.toClient
	var whole loop.Received
	q.slots.Message(int(slot), &whole)
	if whole.Truncated {
		w.counters.Add(count.DroppedTruncated, 1)
		return
	}
	for rest, first := whole.Payload, true; first || len(rest) > 0; {
		from, payload, segment, after := unwrap(rest, whole.Segment)
		rest = after
		if !from.IsValid() {
			w.dropped(count.DroppedStranger, 1, f.client(), whole.Source, errNoHeader)
			first = false
			continue
		}
		if !first {
			slot = q.part(w)
		}
		first = false
		q.messages[slot] = loop.Received{
			Payload: payload, Segment: segment, TOS: whole.TOS, Source: from, Dest: f.client(), DestScope: f.scope,
		}
		w.takeFromUpstream(f, slot)
	}
}

// unwrap takes from the front of a run of datagrams with headers, of so many bytes
// each, those whose headers are alike, and moves what they hold together. From is
// not valid where the first one's header is none.
func unwrap(run []byte, each int) (from netip.AddrPort, payload []byte, segment int, rest []byte) {
	n := min(each, len(run))
	from, size, ok := greet.ParseUDPHeader(run[:n])
	rest = run[n:]
	if !ok || from.Addr().IsUnspecified() || from.Addr().IsMulticast() {
		return netip.AddrPort{}, nil, 0, rest
	}
	header, segment := run[:size], n-size
	payload = run[size:n]
	for n == each && segment > 0 && len(rest) > size && bytes.Equal(rest[:size], header) {
		n = min(each, len(rest))
		payload = append(payload, rest[size:n]...)
		rest = rest[n:]
	}
	return from, payload, segment, rest
}
