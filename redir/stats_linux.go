package redir

import (
	"context"
	"time"

	"sluice/redir/count"
	"sluice/redir/tcp"
)

// Stats sums what all workers have counted so far. It asks no reactor, and may be
// called at any time, also after Close.
func (s *Server) Stats() (sum count.Stats) {
	sum.Collect(s.counters)
	for _, w := range s.workers {
		sum.Collect(w.counters)
	}
	return sum
}

// settleWait is how long Settled waits for reactors that are stuck.
const settleWait = time.Second

// Settled is Stats once every reactor has finished the turn that it is in: what
// anybody has seen of it by now is counted.
func (s *Server) Settled() count.Stats {
	ctx, cancel := context.WithTimeout(context.Background(), settleWait)
	defer cancel()
	_ = s.onWorkers(ctx, func(*worker) error { return nil }) // what is stuck, or has stopped, counts no more
	return s.Stats()
}

// Times sums what all workers have measured so far, likewise.
func (s *Server) Times() (sum [count.NumTimes]count.Distribution) {
	for _, w := range s.workers {
		w.counters.CollectTimes(&sum)
	}
	return sum
}

// Facts is what of the server's resources is in use, and what the kernel gives.
type Facts struct {
	tcp.Facts
	Engine      Engine
	Stalled     int  // connections whose reader takes nothing
	MemoryShort bool // nothing new begins
	GRO, GSO    bool // of UDP
}

// Facts are at most a second old. It asks no reactor.
func (s *Server) Facts() (f Facts) {
	f.Engine, f.MemoryShort = s.engine, s.tcp.Short()
	f.GRO, f.GSO = s.gro, s.gso
	for _, w := range s.workers {
		part := w.tcp.Facts()
		f.Dialing += part.Dialing
		f.Pipes += part.Pipes
		f.PipesDenied += part.PipesDenied
		f.PipeSize = max(f.PipeSize, part.PipeSize)
		f.Stalled += w.tcp.Stalled()
	}
	return f
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
	Flows      int    // UDP sessions
	FlowsBound string // what makes them no more: "--udp-sessions", "fd_limit", "ip_local_port_range"; "" without UDP
	FDs        int    // the fd limit
	Pipes      int
	Memory     []string // what tells when memory is short (pressure.Watch)

	ClientConns, ClientDials, ClientFlows int // of one client; 0: as many as there may be
}

// Limits returns how many connections and UDP sessions there may be at once.
func (s *Server) Limits() Limits { return *s.limits.Load() }

// setLimits tells of the bounds that hold now.
func (s *Server) setLimits() {
	client := s.opts.clientBounds(s.budget)
	l := Limits{
		Conns: s.budget.conns, Flows: s.budget.sessions(), FlowsBound: s.budget.flowsBound, FDs: s.budget.fds, Pipes: s.budget.pipes * len(s.workers),
		ClientConns: client.Conns, ClientDials: client.Dials, ClientFlows: client.Sessions,
	}
	if s.opts.MemoryPressure && s.scarcity != nil {
		l.Memory = s.scarcity.watch.Gauges()
	}
	s.limits.Store(&l)
}

// Reactors is how many event loops run.
func (s *Server) Reactors() int { return len(s.workers) }
