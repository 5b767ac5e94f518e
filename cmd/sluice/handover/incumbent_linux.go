package handover

import (
	"fmt"
	"slices"
	"time"
)

const (
	// answerPatience is how long a peer may take to answer what costs no work.
	answerPatience = 5 * time.Second
	// workPatience is how long it may take to open what it needs, or to put
	// rules in place. An incumbent goes on all the while.
	workPatience = 20 * time.Second
)

// Giver is what an incumbent does at each step.
type Giver interface {
	// Sockets returns the listeners, which stay open until Yield.
	Sockets() ([]int, error)
	// Leave lets go of the rules, which stay in force.
	Leave() error
	// Retake makes the rules this process' again after Leave.
	Retake()
	// Yield ends accepting.
	Yield() error
}

// Successor is one that has knocked, and may be handed what it asks for.
type Successor struct {
	wire *wire
	door *Door
}

// Peer is who it is.
func (s *Successor) Peer() Peer { return s.wire.peer }

// HandOver gives all to the successor. When it returns without an error, the
// successor serves, and this process accepts nothing more; otherwise all is as
// before.
func (s *Successor) HandOver(g Giver) error {
	if err := s.wire.send(message{Type: hello, Version: version, Release: s.door.release}, answerPatience); err != nil {
		return err
	}
	if err := s.give(g); err != nil {
		s.door.refuse(s.wire, err.Error())
		return err
	}
	if _, _, err := s.wire.want(serving, workPatience); err != nil {
		return fmt.Errorf("it did not get as far as to serve: %w", err)
	}
	if s.wire.peer.Rules {
		if err := g.Leave(); err != nil {
			s.door.refuse(s.wire, err.Error())
			return err
		}
	}
	err := s.wire.send(message{Type: left}, answerPatience)
	if err == nil {
		_, _, err = s.wire.want(ready, workPatience)
	}
	if err != nil {
		if s.wire.peer.Rules {
			s.wire.Close() // what it still does is of no account
			g.Retake()
		}
		return fmt.Errorf("it did not get ready: %w", err)
	}
	s.door.shut()
	err = g.Yield()
	_ = s.wire.send(message{Type: yielded}, answerPatience)
	return err
}

// give hands over the listeners and the door's.
func (s *Successor) give(g Giver) error {
	listeners, err := g.Sockets()
	if err != nil {
		return err
	}
	doors, err := s.door.copies()
	if err != nil {
		return err
	}
	defer closeAll(doors)
	fds := slices.Concat(listeners, doors)
	for rest := fds; len(rest) > 0; {
		n := min(len(rest), mostFDs)
		if err := s.wire.send(message{Type: sockets, Count: n}, answerPatience, rest[:n]...); err != nil {
			return err
		}
		m, _, err := s.wire.want(taken, answerPatience)
		if err != nil {
			return err
		}
		if m.Count != n {
			return fmt.Errorf("it took %d sockets of %d", m.Count, n)
		}
		rest = rest[n:]
	}
	return s.wire.send(message{Type: end, Count: len(fds)}, answerPatience)
}
