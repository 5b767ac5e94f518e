package redir

import (
	"sync/atomic"
	"time"

	"sluice/loop"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/tcp"
	"sluice/redir/udp"
	"sluice/splice"
)

// worker is one reactor and what only it touches: a half for TCP and one for
// UDP, which count and log together.
type worker struct {
	r        *loop.Reactor
	counters *count.Counters
	tcp      *tcp.Worker
	udp      *udp.Worker
	self     *admit.Self
	clients  *admit.Clients

	beat     loop.Timer
	lastBeat atomic.Int64 // ns of Reactor.Now
}

func (s *Server) newWorker(r *loop.Reactor) (*worker, error) {
	w := &worker{r: r, counters: new(count.Counters), clients: s.clients}
	log := count.NewLog(s.opts.Log)
	var err error
	if w.self, err = admit.NewSelf(s.admission); err != nil {
		return nil, err
	}
	if w.udp, err = udp.NewWorker(s.udp, r, s.opts.udpSettings(nil), w.counters, log, w.self); err != nil {
		w.self.Close()
		return nil, err
	}
	w.tcp = tcp.NewWorker(s.tcp, r, s.opts.tcpSettings(nil), splice.Config{
		Mode: s.opts.Relay, BufferSize: s.opts.BufferSize,
		PipeSize: s.opts.PipeSize, MaxPipes: s.budget.pipes,
	}, w.counters, log, w.self)
	w.Expired(r.Now())
	return w, nil
}

// attach takes over this worker's sockets of the inbounds. On the reactor's
// thread, or before it starts.
func (w *worker) attach(inbounds []*inbound.Inbound) error {
	for _, in := range inbounds {
		if err := in.Hand(w.r.Index(), w.tcp.Listen, w.udp.Listen, w.udp.ListenReturns); err != nil {
			return err
		}
	}
	return nil
}

// detach closes this worker's listeners of in for the networks named, and for
// replies. Running connections and flows go on.
func (w *worker) detach(in *inbound.Inbound, tcp, udp, returns bool) {
	if returns {
		w.udp.UnlistenReturns(in)
	}
	if udp {
		w.udp.Unlisten(in)
	}
	if tcp {
		w.tcp.Unlisten(in)
	}
}

// relabel gives the listeners of from a new name and timeout.
func (w *worker) relabel(from, to *inbound.Inbound) {
	w.tcp.Relabel(from, to)
	w.udp.Relabel(from, to)
}

// heartbeatPeriod is how often a worker's reactor turns at least, also when
// nothing else happens, so that a watchdog can tell an idle reactor from a
// stuck one.
const heartbeatPeriod = time.Second

// Expired is the heartbeat's timer. It is when the worker gives back what it no
// longer needs.
func (w *worker) Expired(now int64) {
	w.lastBeat.Store(now)
	w.tcp.Trim()
	if w.r.Index() == 0 {
		w.clients.Sweep(now)
	}
	w.r.Arm(&w.beat, w, heartbeatPeriod)
}

// close ends all that the worker carries.
func (w *worker) close() {
	w.tcp.Close()
	w.udp.Close()
	w.self.Close()
}
