package tcp

import (
	"sync/atomic"
	"time"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/socket"
	"sluice/splice"
)

// Settings is what may change while running. A worker's copy is replaced
// whole, on its reactor's thread.
type Settings struct {
	ConnectTimeout   time.Duration
	IdleTimeout      time.Duration // without traffic
	HalfCloseTimeout time.Duration // the same, once one side has ended
	Client, Upstream socket.Keepalive
	Mark             uint32 // SO_MARK of upstream sockets, 0 for none
}

// Shared is what all workers see.
type Shared struct {
	admission *admit.Admission
	conns     atomic.Int64 // now
	maxConns  atomic.Int64
}

// NewShared returns what the workers of one server share. They accept nothing
// before SetMaxConns.
func NewShared(a *admit.Admission) *Shared { return &Shared{admission: a} }

// SetMaxConns bounds the connections at once; those that run beyond a lower
// bound go on.
func (s *Shared) SetMaxConns(n int) { s.maxConns.Store(int64(n)) }

// Conns is how many connections there are now.
func (s *Shared) Conns() int64 { return s.conns.Load() }

func (s *Shared) full() bool { return s.conns.Load() >= s.maxConns.Load() }

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
}

// NewWorker returns a worker on r, which counts into counters and log.
func NewWorker(shared *Shared, r *loop.Reactor, set *Settings, relay splice.Config, counters *count.Counters, log *count.Log, self *admit.Self) *Worker {
	return &Worker{
		shared: shared, r: r, set: set, counters: counters, log: log, self: self,
		workspace: splice.NewWorkspace(relay),
	}
}

// Set replaces the settings.
func (w *Worker) Set(set *Settings) { w.set = set }

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
			l.in = to
		}
	}
}

// Refuse serves what is queued and refuses what comes later: listeners of TPROXY
// reset it, unless forward leaves it to the kernel; others are closed, upon which
// the kernel resets.
func (w *Worker) Refuse(forward bool) {
	for _, l := range w.listeners {
		if forward || l.in.Kind != inbound.TProxy {
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

// Trim gives back what was not needed of late.
func (w *Worker) Trim() {
	w.workspace.Trim()
	for _, l := range w.listeners {
		l.dropSpare()
	}
}

// AddRunning adds to sum what running connections have moved so far, which the
// counters learn when they end.
func (w *Worker) AddRunning(sum *count.Stats) {
	for c := w.conns.head; c != nil; c = c.next {
		sum[count.TCPBytesToUpstream] += c.relay.Moved(clientSide)
		sum[count.TCPBytesToClient] += c.relay.Moved(upstreamSide)
	}
}

// Abort resets all connections.
func (w *Worker) Abort() {
	for w.conns.head != nil {
		w.conns.head.abort()
	}
}

// Close resets all that the worker carries.
func (w *Worker) Close() {
	for _, l := range w.listeners {
		l.close()
	}
	w.Abort()
	w.workspace.Close()
}
