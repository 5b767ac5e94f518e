package redir

import "time"

// Turn is how one reactor turns.
type Turn struct {
	Turns uint64        // that it has begun
	Ago   time.Duration // since its heartbeat, of which there is one a second
}

// Turns are those of all reactors. It asks none of them.
func (s *Server) Turns() []Turn {
	now := s.group.Now()
	turns := make([]Turn, len(s.workers))
	for i, w := range s.workers {
		turns[i] = Turn{Turns: w.r.Turns(), Ago: time.Duration(max(0, now-w.lastBeat.Load()))}
	}
	return turns
}
