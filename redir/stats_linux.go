package redir

import (
	"context"
	"time"

	"sluice/redir/count"
)

// statsWait is how long Stats waits for reactors that are stuck.
const statsWait = time.Second

// Stats sums the counters of all workers and what running connections have
// moved so far, which only their reactors know. It may be called at any time,
// also after Close.
func (s *Server) Stats() (sum count.Stats) {
	sum.Collect(s.counters)
	parts := make([]chan count.Stats, len(s.workers)) // nil: nothing runs there
	for i, w := range s.workers {
		part := make(chan count.Stats, 1)
		if s.started && w.r.Post(func() { part <- w.stats() }) {
			parts[i] = part
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), statsWait)
	defer cancel()
	for i, w := range s.workers {
		if parts[i] == nil {
			sum.Collect(w.counters)
			continue
		}
		select {
		case part := <-parts[i]:
			sum.Add(&part)
		case <-ctx.Done():
			sum.Collect(w.counters)
		}
	}
	return sum
}

// Counted sums the counters alone: it asks no reactor and looks at no
// connection, so it may be called often.
func (s *Server) Counted() (sum count.Stats) {
	sum.Collect(s.counters)
	for _, w := range s.workers {
		sum.Collect(w.counters)
	}
	return sum
}

// Alive reports whether every reactor has turned within the last d, which
// should be some seconds.
func (s *Server) Alive(d time.Duration) bool {
	now := s.group.Now()
	for _, w := range s.workers {
		if now-w.lastBeat.Load() > int64(d) {
			return false
		}
	}
	return true
}

// Failed tells what has ended a reactor that nobody stopped. Connections and
// sessions of that reactor hang: end the process.
func (s *Server) Failed() <-chan error { return s.group.Failed() }

// Limits are the bounds that a Server found.
type Limits struct {
	Conns      int
	Flows      int      // UDP sessions
	FlowsBound string   // what makes them no more: "--udp-sessions", "fd_limit", "ip_local_port_range"; "" without UDP
	FDs        int      // the fd limit
	Memory     []string // what tells when memory is short (pressure.Watch)

	ClientConns, ClientDials, ClientFlows int // of one client; 0: as many as there may be
}

// Limits returns how many connections and UDP sessions there may be at once. It
// waits for a reload that is under way.
func (s *Server) Limits() Limits {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	client := s.opts.clientBounds(s.budget)
	return Limits{
		Conns: s.budget.conns, Flows: s.budget.sessions(), FlowsBound: s.budget.flowsBound, FDs: s.budget.fds,
		ClientConns: client.Conns, ClientDials: client.Dials, ClientFlows: client.Sessions, Memory: s.memory(),
	}
}

func (s *Server) memory() []string {
	if !s.opts.MemoryPressure {
		return nil
	}
	return s.scarcity.watch.Gauges()
}

// Reactors is how many event loops run.
func (s *Server) Reactors() int { return len(s.workers) }
