package redir

import (
	"context"
	"slices"
	"time"
)

// Refuse is the beginning of the end: connections that are queued are served,
// and those that come later refused. Where packets that find no listener would
// be dropped, and their clients wait, listeners of TPROXY stay to reset what
// they accept; with forward, the kernel is to forward them, and the listeners are
// closed. UDP goes on: what asks in the last seconds gets its answer.
func (s *Server) Refuse(ctx context.Context, forward bool) error {
	return s.onWorkers(ctx, func(w *worker) error {
		if !s.yielded.Load() {
			w.tcp.Refuse(forward)
		}
		return nil
	})
}

// Yield leaves all that is new to another process, which has a copy of each
// listener: once it returns, this one accepts no connection, and opens no
// session. What is queued in a listener that the other did not want is served.
func (s *Server) Yield(ctx context.Context) error {
	s.yielded.Store(true)
	return s.onWorkers(ctx, func(w *worker) error {
		w.tcp.FinishAccepting()
		w.udp.FinishListening()
		return nil
	})
}

// Drain waits until the last connection has ended or ctx is done. UDP sessions
// have no end to wait for, and hold it up only after Yield: their replies are
// known here alone, and nothing is lost by waiting.
func (s *Server) Drain(ctx context.Context) {
	const look = 5 * time.Millisecond
	for s.tcp.Conns() > 0 || s.yielded.Load() && s.udp.Flows() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
	}
}

// Abort resets the connections that run. Listeners go on, so that Close may come
// when nothing leads to them any more.
func (s *Server) Abort(ctx context.Context) error {
	return s.onWorkers(ctx, func(w *worker) error {
		w.tcp.Abort()
		return nil
	})
}

// Listeners returns the listening sockets, to be shown to another process. They
// stay the Server's, and open until the next Reload, Refuse, Yield or Close.
func (s *Server) Listeners(ctx context.Context) ([]int, error) {
	parts := make([][]int, len(s.workers))
	err := s.onWorkers(ctx, func(w *worker) error {
		parts[w.r.Index()] = append(w.tcp.Listeners(), w.udp.Listeners()...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return slices.Concat(parts...), nil
}
