package redir

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/neighbour"
	"sluice/redir/outbound"
	"sluice/redir/record"
	"sluice/redir/resolve"
	"sluice/redir/route"
	"sluice/redir/tcp"
	"sluice/redir/udp"
	"sluice/redir/upstream"
)

// Server carries the traffic of its inbounds from New to Close.
type Server struct {
	opts       Options
	budget     budget
	admission  *admit.Admission
	clients    *admit.Clients
	watch      *admit.Watch
	tcp        *tcp.Shared
	udp        *udp.Shared
	group      *loop.Group
	engine     Engine
	workers    []*worker
	scarcity   *scarcity
	resolver   *resolve.Resolver
	router     *outbound.Router
	outs       atomic.Pointer[outbound.Set]
	watcher    *outbound.Watcher
	neighbours *neighbour.Table              // nil: no rule has asked for them
	path       atomic.Pointer[upstream.Path] // of its sockets, where nothing else is said
	counters   *count.Counters               // of what no worker counts
	feeds      record.Feeds
	wall       wall
	gro, gso   bool // the kernel has runs of UDP; to ask it patches its code (udp_encap_needed_key), so it is asked once
	limits     atomic.Pointer[Limits]
	log        zerolog.Logger // for any goroutine: a reload replaces opts
	started    bool
	yielded    atomic.Bool
	closing    sync.Once

	reloading sync.Mutex
	inbounds  []*inbound.Inbound // those that are open
	sets      *route.Sets
	findings  []string // what is amiss with the rules, as it was told
	lastID    uint16

	lanes int // of each inbound and worker, for good
}

// New opens every listener; when it returns, connections are being queued.
// It undoes what it did when it fails.
func New(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		o.Inherited.Close()
		return nil, err
	}
	s := &Server{opts: o, counters: new(count.Counters), log: o.Log}
	if err := s.open(); err != nil {
		o.Inherited.Close()
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
	s.lanes = lanes(s.opts.Inbounds, reactors, limit)
	if s.budget, err = plan(&s.opts, limit, reactors, s.lanes, localPorts()); err != nil {
		return err
	}
	if err := growFDTable(s.budget.fds); err != nil {
		return err
	}
	if err := s.opts.checkRights(); err != nil {
		return err
	}
	s.admission = admit.New()
	s.admission.SetListeners(s.opts.Inbounds, s.opts.Reserved...)
	s.admission.SetMarks(s.opts.marks())
	s.clients = admit.NewClients()
	s.tcp = tcp.NewShared(s.admission, s.clients, &s.feeds)
	s.udp = udp.NewShared(s.admission, s.clients, &s.feeds, s.opts.Batch, s.budget.udp())
	s.share()
	if s.watch, err = admit.NewWatch(s.admission, watchFailed(s.opts.Log)); err != nil {
		return err
	}
	if err := s.makeWorkers(reactors); err != nil {
		return err
	}
	if err := s.opts.findLoop(s.admission.IsOwn); err != nil {
		return err
	}
	if err := s.listen(); err != nil {
		return err
	}
	s.gro, s.gso = udp.KernelRuns()
	s.scarcity = newScarcity(s)
	s.setLimits() // with what tells of memory, and the workers that there are
	return nil
}

// makeWorkers makes a worker for each of so many reactors.
func (s *Server) makeWorkers(reactors int) (err error) {
	if s.group, err = loop.NewGroup(reactors); err != nil {
		return err
	}
	s.group.SetRetireBound(s.budget.ending)
	s.group.SetBusyPoll(s.opts.BusyPoll)
	s.group.SetStreamPeriod(s.opts.StreamPeriod)
	if err := s.useEngine(); err != nil {
		return err
	}
	for _, r := range s.group.Reactors() {
		w, err := s.newWorker(r)
		if err != nil {
			return err
		}
		s.workers = append(s.workers, w)
	}
	return nil
}

// listen opens the inbounds, and gives the workers their listeners.
func (s *Server) listen() error {
	path := s.opts.Path
	s.path.Store(&path)
	s.resolver = resolve.New(s.lookup(), tellResolved(s.opts.Log))
	s.watcher = outbound.NewWatcher(s.dialer(), tellChosen(s.opts.Log))
	routes, err := s.openRoutes(&s.opts)
	if err != nil {
		return err
	}
	opened, err := s.openInbounds(s.opts.Inbounds, nil, s.opts.defaults())
	s.opts.Inherited.Close() // what no inbound wanted
	if err != nil {
		return err
	}
	s.resolver.Await(resolvePatience)
	s.inbounds = opened
	s.clients.SetRates(s.opts.rates(opened))
	s.useRoutes(routes, opened)
	for _, w := range s.workers {
		w.tcp.Set(s.opts.tcpSettings(s.router))
		w.udp.Set(s.opts.udpSettings(s.router))
		if err := w.attach(opened); err != nil {
			closeInbounds(opened)
			return err
		}
	}
	return nil
}

// share tells all workers of the limits that may change while running.
func (s *Server) share() {
	s.udp.SetBounds(s.budget.udp())
	s.tcp.SetMaxConns(s.budget.conns)
	s.tcp.SetPorts(chosenPorts())
	s.admission.SetAllowLocal(s.opts.AllowLocal)
	s.admission.SetBearing(s.opts.bear())
	s.clients.Set(s.opts.clientBounds(s.budget))
	s.setLimits()
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
	s.scarcity.start()
	s.watcher.Keep(s.outs.Load())
}

// Close ends everything: running connections are reset. It is idempotent.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() { err = s.close() })
	return err
}

func (s *Server) close() (err error) {
	if s.scarcity != nil {
		s.scarcity.close()
	}
	if s.watcher != nil {
		s.watcher.Close()
	}
	if s.resolver != nil {
		s.resolver.Close()
	}
	if s.watch != nil {
		s.watch.Close()
	}
	s.neighbours.Close()
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
