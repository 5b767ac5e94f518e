package loop

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// spareProcs is how many Ps the Go scheduler gets beyond one for each
// reactor. With none to spare, each reactor that blocks in epoll_wait hands
// its P over and must win it back: a third of the CPU went there.
const spareProcs = 2

// Group is a set of reactors that share a clock and the epochs of Retire.
type Group struct {
	reactors []*Reactor
	start    time.Time
	stopping atomic.Bool

	_       [64]byte
	epoch   atomic.Uint64
	retired atomic.Int64 // fds that wait to be closed, of all reactors
	_       [64]byte

	retireShare int // of one reactor; see SetRetireBound

	done   sync.WaitGroup
	errs   []error
	failed chan error // what ended reactors other than Stop
}

// NewGroup makes n reactors, which run when Start is called.
func NewGroup(n int) (*Group, error) {
	if n < 1 {
		return nil, fmt.Errorf("reactors: %d, need at least 1", n)
	}
	g := &Group{start: time.Now(), errs: make([]error, n), failed: make(chan error, n)}
	for i := range n {
		r, err := newReactor(g, i)
		if err != nil {
			g.closeEngines()
			return nil, fmt.Errorf("reactor %d: %w", i, err)
		}
		r.epoch.Store(quiescent)
		g.reactors = append(g.reactors, r)
	}
	g.SetRetireBound(defaultRetireBound)
	return g, nil
}

// Reactors returns the group's reactors, in the order of their Index. Before
// Start they may be set up from the caller's goroutine.
func (g *Group) Reactors() []*Reactor { return g.reactors }

// Now is the present time on the scale of Reactor.Now.
func (g *Group) Now() int64 { return int64(time.Since(g.start)) }

// Start runs each reactor on a thread of its own, and raises GOMAXPROCS so
// that the scheduler has Ps to spare.
func (g *Group) Start() {
	if want := len(g.reactors) + spareProcs; runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
	for _, r := range g.reactors {
		r.now = g.Now()
		g.done.Go(func() {
			if err := r.run(); err != nil {
				g.errs[r.index] = err
				g.failed <- err
			}
		})
	}
}

// Failed tells what has ended a reactor other than Stop, as soon as it has: what
// that reactor carried hangs from then on, so the process had better end.
func (g *Group) Failed() <-chan error { return g.failed }

// Stop ends every reactor after the turn that it is in; Wait waits for that.
// Registered fds stay open: they are their handlers' to close before Stop.
func (g *Group) Stop() {
	g.stopping.Store(true)
	for _, r := range g.reactors {
		r.Post(func() {})
	}
}

// Wait blocks until all reactors have ended, and returns what ended them
// other than Stop.
func (g *Group) Wait() error {
	g.done.Wait()
	for _, r := range g.reactors {
		r.retired.closeAll(g)
	}
	return errors.Join(g.errs...)
}

// Close gives up a group that was never started.
func (g *Group) Close() { g.closeEngines() }

func (g *Group) closeEngines() {
	for _, r := range g.reactors {
		r.engine.close()
		r.dropRing()
	}
}

// oldestTurn is the least epoch that a running turn may have seen.
func (g *Group) oldestTurn() uint64 {
	oldest := uint64(quiescent)
	for _, r := range g.reactors {
		oldest = min(oldest, r.epoch.Load())
	}
	return oldest
}
