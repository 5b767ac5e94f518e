package udp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/portmap"
	"sluice/redir/record"
	"sluice/redir/route"
	"sluice/redir/socket"
	"sluice/redir/upstream"
)

// Settings is what may change while running. A worker's copy is replaced
// whole, on its reactor's thread.
type Settings struct {
	Mark uint32 // SO_MARK of ICMP errors that are sent
	ICMP bool   // pass ICMP errors about upstream datagrams on to clients
	// RequireSource refuses a client that cannot have the source that it should.
	RequireSource bool
	// Ports are those at which diverted datagrams are sent on.
	Ports  *portmap.Map
	Router *outbound.Router
	// SniffTimeout is how long what begins a session waits for its name, where a rule
	// wants one; 0: names are not looked for.
	SniffTimeout time.Duration

	ConnectTimeout time.Duration    // for the handshake and greeting of an outbound's server
	Keepalive      socket.Keepalive // of connections with those
}

// Shared is what all workers see.
type Shared struct {
	admission  *admit.Admission
	clients    *admit.Clients
	feeds      *record.Feeds
	flows      *nat.Table[*flow]        // those that have a socket
	sourced    *nat.Table[*flow]        // those that bear their client's address
	origins    atomic.Pointer[[]origin] // of what may be among sourced, without forwards
	forwards   atomic.Pointer[[]origin] // the same of forwards
	traits     atomic.Pointer[[]trait]  // of all sessions that there were of late
	batch      int                      // datagrams per recvmmsg and sendmmsg
	writeBacks atomic.Int64             // bound of one worker's
	spares     atomic.Int64             // likewise
	outlets    atomic.Int64             // likewise
	ending     atomic.Int64             // bound of sockets whose flow has ended
	handed     atomic.Int64             // flows that ended and wait for their owner
	short      atomic.Bool              // memory is
	waiting    atomic.Int64             // bytes that wait for relays
}

// Bounds are how many sessions and sockets there may be.
type Bounds struct {
	Flows      int // with a socket
	Sourced    int // without one, which bear their client's address
	WriteBacks int // of one worker
	Outlets    int // likewise
	Spares     int // sockets of sessions that have ended, for others; of one worker and family
	Ending     int // of flows that have ended, while a worker may still be using them
}

// NewShared returns what the workers of one server share, with batches of so
// many datagrams.
func NewShared(a *admit.Admission, clients *admit.Clients, feeds *record.Feeds, batch int, b Bounds) *Shared {
	s := &Shared{admission: a, clients: clients, feeds: feeds, flows: nat.New[*flow](1), sourced: nat.New[*flow](1), batch: batch}
	s.origins.Store(new([]origin))
	s.forwards.Store(new([]origin))
	s.traits.Store(new([]trait))
	s.SetBounds(b)
	return s
}

// SetBounds replaces the bounds. What there is beyond a lower one is ended soon.
// From any goroutine.
func (s *Shared) SetBounds(b Bounds) {
	s.flows.SetMax(max(1, b.Flows))
	s.sourced.SetMax(max(1, b.Sourced))
	s.outlets.Store(int64(max(1, b.Outlets)))
	s.writeBacks.Store(int64(max(1, b.WriteBacks)))
	s.spares.Store(int64(b.Spares))
	s.ending.Store(int64(max(1, b.Ending)))
}

// SetShort tells that memory is short, or no longer is: until then there are no
// new flows. From any goroutine.
func (s *Shared) SetShort(short bool) { s.short.Store(short) }

// Flows is how many flows there are now.
func (s *Shared) Flows() int { return s.flows.Len() + s.sourced.Len() }

// tables are both.
func (s *Shared) tables() [2]*nat.Table[*flow] { return [...]*nat.Table[*flow]{s.flows, s.sourced} }

// table is the one that f belongs to.
func (s *Shared) table(f *flow) *nat.Table[*flow] {
	if f.isSourced() {
		return s.sourced
	}
	return s.flows
}

// Worker is the UDP half of what one reactor owns. All of it is the reactor's
// own, but for handed, through which other workers give back flows that they
// have ended. Its methods belong to the reactor's thread; before it starts, and
// after it has ended, to the caller's.
type Worker struct {
	shared   *Shared
	r        *loop.Reactor
	set      *Settings
	counters *count.Counters
	log      *count.Log
	self     *admit.Self

	listeners  []*listener
	returns    []*returnListener
	gate       gate
	routed     bool             // there are rules to be asked
	deciding   route.Flow       // scratch of decide
	finalIn    *inbound.Inbound // whose way final is
	final      *outbound.Way
	names      names
	toUpstream upstreamQueue
	toClient   clientQueue
	spares     spares
	out        *loop.SendBatch // scratch of both directions
	leaving    []departing     // whose parcels wait in out
	sentUp     tally           // that is not counted yet
	sentDown   tally
	icmp       messenger
	noRuns     bool          // the kernel has no UDP_SEGMENT
	lastFlow   uint32        // id
	opening    string        // the name that was found of the flow that is about to be opened
	ended      record.Record // scratch of tell
	route      knownRoute    // that was asked for last
	expiry     loop.Timer
	closed     bool

	mu           sync.Mutex
	handed       []*flow // ended by other workers; to be retired by this one
	retireHanded func()
	called       []*association // that have none, and are wanted
	beginCalled  func()
}

// NewWorker returns a worker on r, which counts into counters and log.
func NewWorker(shared *Shared, r *loop.Reactor, set *Settings, counters *count.Counters, log *count.Log, self *admit.Self) (*Worker, error) {
	w := &Worker{
		shared: shared, r: r, set: set, counters: counters, log: log, self: self,
		out: loop.NewSendBatch(shared.batch), leaving: make([]departing, 0, shared.batch),
	}
	_, gso := KernelRuns()
	w.noRuns = !gso
	w.retireHanded, w.beginCalled = w.retireAllHanded, w.beginAllCalled
	w.routed = set.Router.HasRules()
	w.icmp.init(w)
	w.spares.w = w
	w.names.init(w)
	if err := w.toUpstream.init(w); err != nil {
		return nil, err
	}
	if err := w.toClient.init(w); err != nil {
		w.toUpstream.slots.Close()
		return nil, err
	}
	r.OnEdgesServed(w.receiveListed)
	r.OnTurnEnd(w.flush)
	return w, nil
}

// Set replaces the settings.
func (w *Worker) Set(set *Settings) {
	w.set = set
	w.spares.giveUp() // they were made by other settings
	w.routed, w.finalIn, w.final = set.Router.HasRules(), nil, nil
	w.icmp.setMark(set.Mark)
}

// Relabel makes the listeners of from those of to, which has the same address.
func (w *Worker) Relabel(from, to *inbound.Inbound) {
	w.names.relabel(from, to)
	var fds []int
	for _, l := range w.listeners {
		if l.in == from {
			l.in = to
			fds = append(fds, l.fd)
		}
	}
	for _, l := range w.returns {
		if l.in == from {
			l.in = to
			fds = append(fds, l.fd)
		}
	}
	if copies := to.Path.TOS.Copy; copies != from.Path.TOS.Copy {
		for _, fd := range fds {
			if addr, err := socket.LocalAddr(fd); err == nil {
				upstream.ReportTOS(fd, addr.Addr().Is6(), copies)
			}
		}
	}
}

// KernelRuns reports whether the kernel hands over datagrams in runs, and takes runs.
// Where UDP_SEGMENT does not exist, older kernels ignore it, and would send a run as
// one datagram.
func KernelRuns() (gro, gso bool) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, false
	}
	defer unix.Close(fd)
	_, err = unix.GetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT)
	return unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_GRO, 1) == nil, err == nil
}

// flush sends what the turn has gathered.
func (w *Worker) flush() {
	w.names.letGo()
	if w.toUpstream.used|w.toClient.used == 0 {
		return
	}
	w.departUpstream()
	w.toClient.writeBacks.departAll()
	w.send()
	w.toUpstream.reset()
	w.toClient.used, w.toClient.parts = 0, 0
}

// Close ends all that the worker carries. It may be called again.
func (w *Worker) Close() {
	if w.closed {
		return
	}
	w.names.close()
	w.flush()
	w.closed = true
	for _, l := range w.listeners {
		l.close()
	}
	for _, l := range w.returns {
		l.close()
	}
	w.r.Cancel(&w.expiry)
	for _, table := range w.shared.tables() {
		table.Range(func(e *nat.Entry[*flow]) bool {
			if e.Value.owner == w && table.Remove(e) {
				w.counters.Add(count.FlowsCut, 1)
				w.end(e, count.FlowsCut)
			}
			return true
		})
	}
	w.spares.giveUp()
	w.toClient.close()
	w.icmp.close()
	w.toUpstream.close()
}

// dropped counts and logs datagrams that were lost for a cause.
func (w *Worker) dropped(cause count.Counter, n int, client, dest netip.AddrPort, why error) {
	w.counters.Add(cause, uint64(n))
	if e := w.log.Line(cause, w.r.Now()); e != nil { // the arguments would be allocated also for nil
		e.Stringer("client", client).Stringer("dest", dest).Err(why).Msg("datagram dropped")
	}
}
