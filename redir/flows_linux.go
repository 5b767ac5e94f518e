package redir

import (
	"context"
	"errors"
	"time"

	"sluice/redir/record"
	"sluice/redir/udp"
)

const (
	// briefSlice and fullSlice are how many records a reactor makes before it carries
	// traffic again: 25 us of brief ones, 60 us of those that the kernel is asked for.
	briefSlice, fullSlice = 256, 64
	// killSlice is the same for flows that are ended, at some 20 us each.
	killSlice = 8
	// slicePause is the least time between two slices.
	slicePause = 200 * time.Microsecond
)

// ErrNoFlow says that a flow has ended, or has never been.
var ErrNoFlow = errors.New("there is no such flow, or no more")

// Flows calls visit with the records of all flows, some at a time, until it returns
// false. What it is given is valid during the call. A flow that is there all the while
// is seen once; one that comes or goes meanwhile, at most once. Reactors make the
// records in slices, with time for traffic in between: 100,000 brief ones take 0.2 s.
func (s *Server) Flows(ctx context.Context, detail record.Detail, visit func([]record.Record) bool) error {
	slice := make([]record.Record, briefSlice)
	if detail == record.Full {
		slice = slice[:fullSlice]
	}
	more := true
	for _, w := range s.workers {
		for from := 0; more; {
			n := 0
			if err := w.do(ctx, func() { n, from = w.tcp.Records(from, detail, slice) }); err != nil {
				return err
			}
			if n > 0 {
				more = visit(slice[:n])
			}
			if from == 0 {
				break
			}
			time.Sleep(slicePause)
		}
	}
	return s.eachSession(ctx, len(slice), nil, func(w *worker, sessions []udp.Session) (bool, error) {
		n := 0
		err := w.do(ctx, func() {
			for _, session := range sessions {
				if w.udp.Record(session, detail, &slice[n]) {
					n++
				}
			}
		})
		return err == nil && more && (n == 0 || visit(slice[:n])), err
	})
}

// eachSession calls f with the UDP sessions that are wanted (nil: all), a slice of
// those of one worker at a time, until it returns false or an error.
func (s *Server) eachSession(ctx context.Context, most int, wanted map[record.ID]bool, f func(*worker, []udp.Session) (bool, error)) error {
	byWorker := make([][]udp.Session, len(s.workers))
	for _, session := range s.udp.Sessions() {
		if wanted == nil || wanted[session.ID()] {
			byWorker[session.Owner()] = append(byWorker[session.Owner()], session)
		}
	}
	for i, sessions := range byWorker {
		for len(sessions) > 0 {
			n := min(most, len(sessions))
			more, err := f(s.workers[i], sessions[:n])
			if !more || err != nil {
				return err
			}
			if sessions = sessions[n:]; len(sessions) > 0 {
				time.Sleep(slicePause)
			}
		}
	}
	return ctx.Err()
}

// Flow is the record of one, with all detail; ErrNoFlow where there is none.
func (s *Server) Flow(ctx context.Context, id record.ID) (record.Record, error) {
	if id.Worker() >= len(s.workers) {
		return record.Record{}, ErrNoFlow
	}
	w, r, found := s.workers[id.Worker()], new(record.Record), false
	look := func() { found = w.tcp.Record(id, r) }
	if id.IsSession() {
		session, ok := s.session(id)
		if !ok {
			return record.Record{}, ErrNoFlow
		}
		look = func() { found = w.udp.Record(session, record.Full, r) }
	}
	if err := w.do(ctx, look); err != nil {
		return record.Record{}, err
	}
	if !found {
		return record.Record{}, ErrNoFlow
	}
	return *r, nil
}

func (s *Server) session(id record.ID) (udp.Session, bool) {
	for _, session := range s.udp.Sessions() {
		if session.ID() == id {
			return session, true
		}
	}
	return udp.Session{}, false
}

// Kill ends flows: of a connection, both sides are reset; a session's socket is
// closed. It returns how many there were.
func (s *Server) Kill(ctx context.Context, ids []record.ID) (killed int, err error) {
	conns, sessions := make([][]record.ID, len(s.workers)), map[record.ID]bool{}
	for _, id := range ids {
		switch {
		case id.Worker() >= len(s.workers):
		case id.IsSession():
			sessions[id] = true
		default:
			conns[id.Worker()] = append(conns[id.Worker()], id)
		}
	}
	for i, w := range s.workers {
		n, err := w.killConns(ctx, conns[i])
		if killed += n; err != nil {
			return killed, err
		}
	}
	if len(sessions) == 0 {
		return killed, nil
	}
	err = s.eachSession(ctx, killSlice, sessions, func(w *worker, part []udp.Session) (bool, error) {
		n := 0
		err := w.do(ctx, func() {
			for _, session := range part {
				if w.udp.Kill(session) {
					n++
				}
			}
		})
		if err == nil {
			killed += n
		}
		return err == nil, err
	})
	return killed, err
}

// killConns ends the connections of some IDs, and returns how many there were.
func (w *worker) killConns(ctx context.Context, ids []record.ID) (killed int, err error) {
	for len(ids) > 0 {
		part, n := ids[:min(killSlice, len(ids))], 0
		if err := w.do(ctx, func() {
			for _, id := range part {
				if w.tcp.Kill(id) {
					n++
				}
			}
		}); err != nil {
			return killed, err
		}
		killed += n
		if ids = ids[len(part):]; len(ids) > 0 {
			time.Sleep(slicePause)
		}
	}
	return killed, nil
}

// do runs f on the worker's thread, and waits until it has, or ctx is done: then f may
// run later yet.
func (w *worker) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	if !w.r.Post(func() { f(); close(done) }) {
		return errStopped
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ended are the records of the flows that end from now on: up to size of each
// worker's are kept until they are read. Close it.
func (s *Server) Ended(size int) *record.Feed { return s.feeds.Open(len(s.workers), size) }

// Now is the time, in ns of Reactor.Now.
func (s *Server) Now() int64 { return s.group.Now() }

// Wall is the time of day at a time (ns) of Reactor.Now: the same each time, unless the
// clock was set.
func (s *Server) Wall(ns int64) time.Time { return s.wall.at(ns, s.group.Now(), time.Now()) }
