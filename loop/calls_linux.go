package loop

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// mostCalls is how many calls are made at once, at most. What each saves grows little
// beyond 16 (BenchmarkCalls), and turns mostly find fewer.
const mostCalls = 256

// Calls gathers system calls on sockets, of which none waits, and makes them by one,
// io_uring_enter(2). Entering the kernel costs a few hundred ns to more than one us, by
// what its mitigations take, which is a good part of receiving or sending a message: a
// reactor that has something to do for many sockets enters it once for all of them.
//
// Nothing is under way between two calls of Make. So there is no completion that comes
// late, nothing to cancel, and a socket can be closed at any time; what the calls name
// must stay where and as it is from when they are gathered until Make returns, and no
// longer. That is also why readiness stays with epoll.
//
// It belongs to one reactor.
type Calls struct {
	ring    *ring
	n       int
	made    uint64           // calls before these, of which no completion is taken for one of these
	results [mostCalls]int32 // of the calls that were made last; as the kernel has it, negative for an errno
}

// MostCalls is how many there is room for between two calls of Make.
func (c *Calls) MostCalls() int { return mostCalls }

// unmade is the result of a call that the ring has not made; no errno is so great.
const unmade = -1 << 31

// Make makes the calls that were gathered, in their order. What the ring cannot do, for
// want of memory, is done without it.
func (c *Calls) Make() {
	n := c.n
	if c.n = 0; n == 0 {
		return
	}
	results := c.results[:n]
	for i := range results {
		results[i] = unmade
	}
	first := *c.ring.sqTail
	c.ring.submit(n)
	c.ring.complete(results, c.made)
	c.made += uint64(n)
	for i, res := range results {
		if res == unmade || res == -int32(unix.EINTR) {
			results[i] = c.ring.submissions[(first+uint32(i))&c.ring.sqMask].direct()
		}
	}
}

// Result is what a call of the last Make has brought: bytes, or an errno.
func (c *Calls) Result(call int) (n int, errno syscall.Errno) {
	if res := c.results[call]; res < 0 {
		return 0, syscall.Errno(-res)
	}
	return int(c.results[call]), 0
}

// UseRings has each reactor of the group make calls of a turn together, by a ring.
// Before Start. Where it fails none does.
func (g *Group) UseRings() error {
	for _, r := range g.reactors {
		ring, err := newRing(mostCalls)
		if err != nil {
			g.dropRings()
			return fmt.Errorf("ring of reactor %d: %w", r.index, err)
		}
		r.calls = &Calls{ring: ring}
	}
	return nil
}

func (g *Group) dropRings() {
	for _, r := range g.reactors {
		r.dropRing()
	}
}

func (r *Reactor) dropRing() {
	if r.calls != nil {
		r.calls.ring.close()
		r.calls = nil
	}
}

// Calls gathers calls that are made together; nil where they are made one by one, as
// they come.
func (r *Reactor) Calls() *Calls { return r.calls }
