package redir

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"sluice/loop"
	"sluice/nat"
	"sluice/splice"
)

// Server carries the traffic of its inbounds from New to Close.
type Server struct {
	shared
	opts    Options
	budget  budget
	group   *loop.Group
	workers []*worker
	watch   *addrWatch
	started bool
	closing sync.Once

	reloading sync.Mutex
	inbounds  []*inbound // those that are open
	lastID    uint16
}

// New opens every listener; when it returns, connections are being queued.
// It undoes what it did when it fails.
func New(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Server{opts: o}
	if err := s.open(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) open() (err error) {
	limit, err := raiseFDLimit()
	if err != nil {
		return err
	}
	reactors := s.opts.Reactors
	if reactors == 0 {
		reactors = runtime.GOMAXPROCS(0)
	}
	if s.budget, err = plan(&s.opts, limit, reactors); err != nil {
		return err
	}
	if err := s.opts.checkRights(); err != nil {
		return err
	}
	s.flows = nat.New[*flow](max(1, s.budget.flows))
	s.batch, s.writeBacks = s.opts.Batch, s.budget.writeBacks
	s.admission.setListeners(s.opts.Inbounds)
	s.share()
	if s.watch, err = watchAddrs(&s.admission, watchFailed(s.opts.Log)); err != nil {
		return err
	}
	if s.group, err = loop.NewGroup(reactors); err != nil {
		return err
	}
	s.group.SetBusyPoll(s.opts.BusyPoll)
	s.group.SetStreamPeriod(s.opts.StreamPeriod)
	for _, r := range s.group.Reactors() {
		w, err := s.newWorker(r)
		if err != nil {
			return err
		}
		s.workers = append(s.workers, w)
	}
	opened, err := s.openInbounds(s.opts.Inbounds, nil, s.opts.UDPTimeout)
	if err != nil {
		return err
	}
	for i, w := range s.workers {
		if err := w.attach(opened, i); err != nil {
			closeSockets(opened)
			return err
		}
	}
	s.inbounds = opened
	return nil
}

// share tells all workers of the limits that may change while running.
func (s *Server) share() {
	s.flows.SetMax(max(1, s.budget.flows))
	s.maxConns.Store(int64(s.budget.conns))
	s.admission.allowLocal.Store(s.opts.AllowLocal)
}

func (s *Server) newWorker(r *loop.Reactor) (*worker, error) {
	w := &worker{shared: &s.shared, r: r, set: s.opts.settings()}
	w.log.log = s.opts.Log
	w.workspace = splice.NewWorkspace(splice.Config{
		Mode: s.opts.Relay, BufferSize: s.opts.BufferSize,
		PipeSize: s.opts.PipeSize, MaxPipes: s.budget.pipes,
	})
	udp, err := newUDPRelay(w)
	if err != nil {
		return nil, err
	}
	w.udp = udp
	(&heartbeat{w}).Expired(r.Now())
	return w, nil
}

// watchFailed logs from the watcher's goroutine, which must not read opts: a
// reload replaces them.
func watchFailed(log zerolog.Logger) func(error) {
	return func(err error) { log.Error().Err(err).Msg("the gateway's own addresses cannot be read; trying again") }
}

// Start begins to carry traffic.
func (s *Server) Start() {
	s.started = true
	s.group.Start()
}

// Drain stops accepting and waits until the last connection has ended or ctx
// is done. UDP sessions do not hold it up: they have no end to wait for.
func (s *Server) Drain(ctx context.Context) {
	stopped, running := make(chan struct{}, len(s.workers)), 0
	for _, w := range s.workers {
		if w.r.Post(func() { w.finishAccepting(); stopped <- struct{}{} }) {
			running++
		}
	}
	for ; running > 0; running-- {
		select {
		case <-ctx.Done():
			return
		case <-stopped:
		}
	}
	const look = 5 * time.Millisecond
	for s.conns.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
	}
}

func (w *worker) finishAccepting() {
	for _, l := range w.listeners {
		l.finish()
	}
}

func (w *worker) stopAccepting() {
	for _, l := range w.listeners {
		l.close()
	}
}

// Close ends everything: running connections are reset. It is idempotent.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() { err = s.close() })
	return err
}

func (s *Server) close() (err error) {
	if s.watch != nil {
		s.watch.close()
	}
	if s.started {
		for _, w := range s.workers {
			w.r.Post(w.close)
		}
		s.group.Stop()
		err = s.group.Wait()
	} else {
		for _, w := range s.workers {
			w.close()
		}
		if s.group != nil {
			s.group.Close()
		}
	}
	return err
}

// close ends all that the worker carries.
func (w *worker) close() {
	w.stopAccepting()
	for w.conns.head != nil {
		w.conns.head.abort()
	}
	if w.udp != nil {
		w.udp.close()
	}
	w.workspace.Close()
}

// statsWait is how long Stats waits for reactors that are stuck.
const statsWait = time.Second

// Stats sums the counters of all workers and what running connections have
// moved so far, which only their reactors know. It may be called at any time,
// also after Close.
func (s *Server) Stats() (sum Stats) {
	parts := make([]chan Stats, len(s.workers)) // nil: nothing runs there
	for i, w := range s.workers {
		part := make(chan Stats, 1)
		if s.started && w.r.Post(func() { part <- w.stats() }) {
			parts[i] = part
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), statsWait)
	defer cancel()
	for i, w := range s.workers {
		if parts[i] == nil {
			sum.collect(&w.counters)
			continue
		}
		select {
		case part := <-parts[i]:
			sum.add(&part)
		case <-ctx.Done():
			sum.collect(&w.counters)
		}
	}
	return sum
}

// stats are the worker's counters, with the bytes of its running connections.
func (w *worker) stats() (sum Stats) {
	sum.collect(&w.counters)
	for c := w.conns.head; c != nil; c = c.next {
		sum[TCPBytesToUpstream] += c.relay.Moved(clientSide)
		sum[TCPBytesToClient] += c.relay.Moved(upstreamSide)
	}
	return sum
}

// Limits are the bounds that Server found: connections and UDP sessions at
// once, and the fd limit that they come from.
func (s *Server) Limits() (conns, flows, fds int) {
	return s.budget.conns, s.budget.flows, s.budget.fds
}

// Reactors is how many event loops run.
func (s *Server) Reactors() int { return len(s.workers) }
