package udp

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/greet"
	"sluice/redir/outbound"
)

// Why there is no association.
var (
	errNoServer = errors.New("the name of its server has no address yet")
	errEnded    = errors.New("its server ended the connection before it answered")
	errNoRelay  = errors.New("its server names no address to which datagrams could be sent")
	errLate     = errors.New("its server does not answer in time")
)

// phase is how far an association has come.
type phase uint8

const (
	idle       phase = iota // the next datagram begins it
	connecting              // with the server
	greeting
	granted // it lives as long as the connection (RFC 1928 section 6)
)

// association is what a session has at a SOCKS5 server: a connection that nothing
// is said on after the greeting, and a relay. The session's owner makes both. Where
// the connection has ended, it does so again when the session's client writes again:
// remotes know the old place alone, and nothing would come by a new one before.
type association struct {
	f     *flow
	relay atomic.Pointer[relay] // nil: there is none

	mu      sync.Mutex
	waiting []loop.Received // what its client wrote meanwhile, in order
	bytes   int             // of them
	rests   int64           // what its client writes is refused until then (ns of Reactor.Now)
	called  bool            // its owner sees to it that there is a relay, or will
	closed  bool            // the session has ended

	// The owner's alone:
	chosen  choice // that of its datagrams
	way     *outbound.Way
	phase   phase
	control int // fd of the connection; -1: none
	server  netip.AddrPort
	state   greet.State
	bound   greet.Bound
	waits   bool // the server is told one thing at a time, since a trial has failed
	other   bool // the server is asked for the family that is not its client's
	heard   bool // a remote was, since it was granted
	asked   bool // whether the server is down was, see outbound.Usable
	fails   int  // in a row
	timer   loop.Timer
	until   int64 // when an address of the server has had its time (ns of Reactor.Now)
}

// openAssociated makes a flow whose datagrams a SOCKS5 server relays.
func (w *Worker) openAssociated(key nat.Key, way *outbound.Way, m *loop.Received, to netip.AddrPort) *nat.Entry[*flow] {
	of := w.account(key, way.In, m)
	if of == nil {
		return nil
	}
	f := w.newFlow(key, way, m, to, of)
	f.there = &association{f: f, way: way, chosen: w.toUpstream.last, control: -1, asked: true}
	e, inserted := w.insert(f, way.In, m)
	if !inserted {
		of.End()
	}
	return e
}

// call has the association's owner see to it that there is a relay, from any worker.
func (a *association) call() {
	owner := a.f.owner
	owner.mu.Lock()
	owner.called = append(owner.called, a)
	first := len(owner.called) == 1
	owner.mu.Unlock()
	if first {
		owner.r.Post(owner.beginCalled)
	}
}

// beginAllCalled begins the associations that were called for.
func (w *Worker) beginAllCalled() {
	w.mu.Lock()
	called := w.called
	w.called = nil
	w.mu.Unlock()
	for _, a := range called {
		if !a.isClosed() && a.phase == idle {
			a.begin()
		}
	}
}

func (a *association) isClosed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed
}

// publish has all workers send by r, after what waits; false where the session has
// ended meanwhile.
func (a *association) publish(r *relay) bool {
	w := a.f.owner
	for {
		a.mu.Lock()
		if a.closed {
			a.mu.Unlock()
			r.retire(w)
			return false
		}
		if len(a.waiting) == 0 {
			a.rests, a.called = 0, false
			a.relay.Store(r)
			a.mu.Unlock()
			return true
		}
		waiting := a.takeWaiting()
		a.mu.Unlock()
		w.sendWaiting(r, waiting)
	}
}

// close gives back what the association has, after its flow has left the table: on
// its owner's thread or, where that has stopped, on another's.
func (a *association) close(w *Worker) {
	a.mu.Lock()
	a.closed = true
	a.takeWaiting()
	a.mu.Unlock()
	if r := a.relay.Swap(nil); r != nil {
		r.retire(w)
	}
	switch {
	case w == a.f.owner:
		a.hangUp()
	case a.control >= 0:
		w.r.Retire(a.control)
		a.control = -1
	}
}

// hangUp ends the connection.
func (a *association) hangUp() {
	w := a.f.owner
	w.r.Cancel(&a.timer)
	if a.control >= 0 {
		w.r.Close(a.control)
		a.control = -1
	}
	a.phase = idle
}
