package redir

import (
	"fmt"

	"sluice/loop"
)

// BestEngine is what AutoEngine is on this machine, for this process.
func BestEngine() Engine {
	if loop.TryRing() != nil {
		return EpollEngine
	}
	return RingEngine
}

// useEngine gives the reactors their rings, where they are to have some. Workers look
// when they are made.
func (s *Server) useEngine() error {
	s.engine = EpollEngine
	if s.opts.Engine == EpollEngine {
		return nil
	}
	err := s.group.UseRings()
	switch {
	case err == nil:
		s.engine = RingEngine
	case s.opts.Engine == RingEngine:
		return fmt.Errorf("--engine io_uring: %w: %s; --engine auto takes epoll instead", err, loop.RingRefusal(err))
	default: // no warning: what is there was asked for
		refusal := loop.RingRefusal(err)
		s.opts.Log.Info().Err(err).Str("why", refusal.Why).Str("remedy", refusal.Remedy).Msg("there is no io_uring here: the engine is epoll")
	}
	return nil
}

// Engine is the one that the reactors have.
func (s *Server) Engine() Engine { return s.engine }
