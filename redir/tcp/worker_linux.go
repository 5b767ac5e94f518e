package tcp

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/portmap"
	"sluice/redir/record"
	"sluice/redir/route"
	"sluice/redir/sniff"
	"sluice/redir/socket"
	"sluice/redir/upstream"
	"sluice/splice"
)

// Settings is what may change while running. A worker's copy is replaced
// whole, on its reactor's thread.
type Settings struct {
	ConnectTimeout   time.Duration
	SniffTimeout     time.Duration // for a client's first bytes, where a rule wants a name; 0: names are not looked for
	IdleTimeout      time.Duration // without traffic
	HalfCloseTimeout time.Duration // the same, once one side has ended
	Client, Upstream socket.Keepalive
	// ClientCongestion is the congestion control of clients' sockets; "" leaves
	// them what they have.
	ClientCongestion string
	RequireSource    bool // refuse a client that cannot have the source that it should
	// Fronts are who begins connections with a PROXY header.
	Fronts []netip.Prefix
	Ports  *portmap.Map // at which diverted connections are dialled
	Router *outbound.Router
}

// Shared is what all workers see.
type Shared struct {
	admission *admit.Admission
	clients   *admit.Clients
	feeds     *record.Feeds
	conns     atomic.Int64 // now
	maxConns  atomic.Int64
	wanted    atomic.Int64  // places that a worker found none of its own to give up for
	ports     atomic.Uint32 // an upstream.Ports
	short     atomic.Bool   // memory is
	tight     atomic.Bool   // memory may be short soon, if the queues of conns go on to fill
}

// NewShared returns what the workers of one server share. They accept nothing
// before SetMaxConns.
func NewShared(a *admit.Admission, clients *admit.Clients, feeds *record.Feeds) *Shared {
	return &Shared{admission: a, clients: clients, feeds: feeds}
}

// SetMaxConns bounds the connections at once; those that run beyond a lower
// bound go on.
func (s *Shared) SetMaxConns(n int) { s.maxConns.Store(int64(n)) }

// SetMemory tells whether memory is tight, so that stalled conns must hold less,
// and whether it is short, so that there is none for new conns. From any
// goroutine.
func (s *Shared) SetMemory(tight, short bool) {
	s.tight.Store(tight)
	s.short.Store(short)
}

// SetPorts tells which ports the kernel may choose for upstreams. From any
// goroutine.
func (s *Shared) SetPorts(p upstream.Ports) { s.ports.Store(uint32(p.Low) | uint32(p.High)<<16) }

// Ports are those of SetPorts.
func (s *Shared) Ports() upstream.Ports {
	p := s.ports.Load()
	return upstream.Ports{Low: uint16(p), High: uint16(p >> 16)}
}

// Short tells whether memory is short.
func (s *Shared) Short() bool { return s.short.Load() }

// Conns is how many connections there are now.
func (s *Shared) Conns() int64 { return s.conns.Load() }

// errMemoryShort says why there may be no more conns.
var errMemoryShort = errors.New("memory is short")

// full says why there may be no more conns now; 0 while there may.
func (s *Shared) full() (cause count.Counter, why error) {
	switch {
	case s.conns.Load() >= s.maxConns.Load():
		return count.RefusedMaxConns, nil
	case s.short.Load():
		return count.AcceptPaused, errMemoryShort
	}
	return 0, nil
}

// Worker is the TCP half of what one reactor owns. All methods belong to the
// reactor's thread; before it starts, and after it has ended, to the caller's.
type Worker struct {
	shared   *Shared
	r        *loop.Reactor
	set      *Settings
	counters *count.Counters
	log      *count.Log
	self     *admit.Self

	workspace *splice.Workspace
	listeners []*listener
	conns     connList
	gathered  []*conn         // that had an edge in this turn; see together_linux.go
	relays    []*splice.Relay // scratch of pumpTogether
	extras    extras
	reserve   reserve
	nextScan  int64 // ns of Reactor.Now: when conns are next worth looking at
	frozen    int   // how many conns may be, of those that lookAtStalled has not seen since
	stalled   atomic.Int64
	facts     atomic.Pointer[Facts]
	header    [mostHeader]byte // where one is read or written, or a client's first bytes are; holds nothing between two edges
	sniffer   sniff.Sniffer
	told      record.Record // scratch of conn.tell
}

// NewWorker returns a worker on r, which counts into counters and log.
func NewWorker(shared *Shared, r *loop.Reactor, set *Settings, relay splice.Config, counters *count.Counters, log *count.Log, self *admit.Self) *Worker {
	w := &Worker{shared: shared, r: r, set: set, counters: counters, log: log, self: self}
	w.moveTogether(&relay)
	w.workspace = splice.NewWorkspace(relay)
	w.conns.worker = r.Index()
	w.reserve.take()
	return w
}

// Set replaces the settings.
func (w *Worker) Set(set *Settings) {
	before := w.set.ClientCongestion
	w.set = set
	w.reshape()
	if set.ClientCongestion == before {
		return
	}
	name := set.ClientCongestion
	if name == "" {
		name, _ = socket.DefaultCongestion() // where that fails, they keep what they have
	}
	for _, l := range w.listeners {
		l.setCongestion(name)
	}
}

// Unlisten closes the listeners of in, after what they have queued was
// accepted. Running connections go on.
func (w *Worker) Unlisten(in *inbound.Inbound) {
	kept := w.listeners[:0]
	for _, l := range w.listeners {
		if l.in != in {
			kept = append(kept, l)
			continue
		}
		l.finish()
	}
	clear(w.listeners[len(kept):])
	w.listeners = kept
}

// Relabel makes the listeners of from those of to, which has the same address.
func (w *Worker) Relabel(from, to *inbound.Inbound) {
	for _, l := range w.listeners {
		if l.in == from {
			l.relabel(to)
		}
	}
	w.conns.each(func(c *conn) {
		if c.way.In == from && (c.state == awaiting || c.state == sniffing) {
			c.way = w.set.Router.Way(to, route.Final) // it is decided yet
		}
	})
}

// Refuse serves what is queued and refuses what comes later: transparent listeners
// reset it, unless forward leaves it to the kernel; others are closed, upon which
// the kernel resets.
func (w *Worker) Refuse(forward bool) {
	for _, l := range w.listeners {
		if forward || !l.in.IsTransparent() {
			l.finish()
		} else {
			l.refuse()
		}
	}
}

// Listeners are the fds of those that are open.
func (w *Worker) Listeners() (fds []int) {
	for _, l := range w.listeners {
		if l.fd >= 0 {
			fds = append(fds, l.fd)
		}
	}
	return fds
}

// FinishAccepting closes all listeners, after what they have queued was
// accepted.
func (w *Worker) FinishAccepting() {
	for _, l := range w.listeners {
		l.finish()
	}
}

// SetMaxPipes bounds the worker's pipes; those beyond a lower bound are closed
// when they are empty.
func (w *Worker) SetMaxPipes(n int) { w.workspace.SetMaxPipes(n) }

// Trim gives back what was not needed of late, and what others need more. It is
// called once a second.
func (w *Worker) Trim() {
	w.workspace.Trim()
	for _, l := range w.listeners {
		l.dropSpare()
	}
	w.reserve.take()
	w.giveWayToOthers()
	w.lookAtStalled()
	w.lookAtFacts()
}

// Facts is what of the worker's resources is in use.
type Facts struct {
	Dialing     int    // conns of which nothing is relayed yet
	Pipes       int    // that exist
	PipeSize    int    // bytes that the kernel has granted last; 0: none was asked for yet
	PipesDenied uint64 // times that it has granted none
}

// Facts are at most a second old; from any goroutine.
func (w *Worker) Facts() Facts {
	if f := w.facts.Load(); f != nil {
		return *f
	}
	return Facts{}
}

// lookAtFacts publishes them where they have changed.
func (w *Worker) lookAtFacts() {
	pipes := w.workspace.Stats()
	now := Facts{Dialing: w.conns.dialing.n, Pipes: pipes.PipesIdle + pipes.PipesHeld, PipeSize: pipes.PipeSize, PipesDenied: pipes.PipesDenied}
	if w.Facts() != now {
		w.facts.Store(&now)
	}
}

// Abort resets all connections.
func (w *Worker) Abort() {
	w.conns.each(func(c *conn) {
		w.counters.Add(count.ConnsCut, 1)
		c.abort(count.ConnsCut)
	})
}

// Close resets all that the worker carries.
func (w *Worker) Close() {
	for _, l := range w.listeners {
		l.close()
	}
	w.Abort()
	w.reserve.giveUp()
	w.workspace.Close()
}
