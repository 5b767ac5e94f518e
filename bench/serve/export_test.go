//go:build linux

package serve

import "math"

// Lasting is how many requests a connection asks before it moves.
const Lasting = lasting

// ListenWithoutReactors is Listen with every connection on a goroutine for good.
func ListenWithoutReactors(o Options) (*Server, error) { return listen(o, math.MaxInt) }

// OnGoroutines is how many connections have a goroutine.
func (s *Server) OnGoroutines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
