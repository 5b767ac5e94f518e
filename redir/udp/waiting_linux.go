package udp

import (
	"bytes"
	"errors"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/greet"
)

const (
	// mostWaiting bounds the messages that wait for a session's relay, and
	// mostWaitingBytes their bytes, and those of all sessions: a round trip or two
	// of what a client says when it begins.
	mostWaiting         = 16
	mostWaitingBytes    = 128 << 10
	mostWaitingBytesAll = 8 << 20
)

// Why a datagram waits no longer.
var (
	errWaitsLong = errors.New("more than a session may have waiting for its outbound's server")
	errRests     = errors.New("its outbound's server gives its session no relay")
)

// wait keeps a copy of what a session's client has written, until there is a relay.
// Where there is one meanwhile, it returns that and keeps nothing.
func (a *association) wait(w *Worker, m *loop.Received) *relay {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.relay.Load(); r != nil {
		return r
	}
	switch now := w.r.Now(); {
	case a.closed:
		w.counters.Add(count.DroppedNoSession, uint64(m.Datagrams()))
		return nil
	case now < a.rests:
		w.refuseWaiting(m)
		return nil
	case len(a.waiting) == mostWaiting || a.bytes+len(m.Payload) > mostWaitingBytes,
		w.shared.waiting.Load()+int64(len(m.Payload)) > mostWaitingBytesAll:
		w.dropped(count.DroppedWaiting, m.Datagrams(), m.Source, m.Dest, errWaitsLong)
		return nil
	}
	kept := *m
	kept.Payload = bytes.Clone(m.Payload)
	a.waiting = append(a.waiting, kept)
	a.bytes += len(m.Payload)
	w.shared.waiting.Add(int64(len(m.Payload)))
	if !a.called {
		a.called = true
		a.call()
	}
	return nil
}

// takeWaiting is what waits, which then does no longer. It belongs behind mu.
func (a *association) takeWaiting() []loop.Received {
	waiting := a.waiting
	a.f.owner.shared.waiting.Add(-int64(a.bytes))
	a.waiting, a.bytes = nil, 0
	return waiting
}

// refuseWaiting tells a client that what it has written is not relayed.
func (w *Worker) refuseWaiting(m *loop.Received) {
	w.dropped(count.DroppedWaiting, m.Datagrams(), m.Source, m.Dest, errRests)
	w.tellUnreachable(m)
}

// sendWaiting sends what has waited for r.
func (w *Worker) sendWaiting(r *relay, waiting []loop.Received) {
	headers := make([][greet.MostUDPHeader]byte, len(waiting))
	for i := range waiting {
		w.pushRelayed(r, &waiting[i], headers[i][:0])
	}
	w.depart(r, r.fd, &r.gso)
	w.send()
}
