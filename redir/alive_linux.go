package redir

import "time"

// heartbeat makes a worker's reactor turn at least once in a while, also when
// nothing else happens, so that a watchdog can tell an idle reactor from a
// stuck one; and it is when the worker gives back what it no longer needs.
type heartbeat struct{ w *worker }

const heartbeatPeriod = time.Second

// Expired is the heartbeat's timer.
func (h *heartbeat) Expired(now int64) {
	h.w.lastBeat.Store(now)
	h.w.workspace.Trim()
	for _, l := range h.w.listeners {
		l.dropSpare()
	}
	h.w.r.Arm(&h.w.beat, h, heartbeatPeriod)
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
