package redir

import (
	"os"
	"time"

	"github.com/rs/zerolog"

	"sluice/redir/pressure"
)

const (
	// scarcityPeriod is the time between two looks at memory and the fd limit:
	// eight reads of /proc and one system call, 0.1 ms; one more where sources are
	// clients'.
	scarcityPeriod = 250 * time.Millisecond
	// stalledBytes is what a stalled connection may hold, by estimation: half of
	// what one is seen to hold whose reader has stopped amid a bulk transfer.
	stalledBytes = 1 << 20
	// stalledPart is the part of memory, 1/stalledPart, that stalled connections
	// may hold before they are narrowed.
	stalledPart = 16
)

// scarcity looks, on a goroutine of its own, for what others do to the bounds of a
// Server: the fd limit that is changed while it runs, and memory that gets short.
type scarcity struct {
	s     *Server
	watch *pressure.Watch
	held  int // fds of the process before there was traffic
	short bool
	done  chan struct{}
	ended chan struct{} // nil: not started
	log   zerolog.Logger
}

func newScarcity(s *Server) *scarcity {
	held, _ := os.ReadDir("/proc/self/fd") // without it, nothing is held
	return &scarcity{s: s, watch: pressure.Open(), held: len(held), done: make(chan struct{}), log: s.opts.Log}
}

func (c *scarcity) start() {
	c.ended = make(chan struct{})
	go c.run()
}

func (c *scarcity) close() {
	close(c.done)
	if c.ended != nil {
		<-c.ended
	}
	c.watch.Close()
}

func (c *scarcity) run() {
	defer close(c.ended)
	ticker := time.NewTicker(scarcityPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
			c.look()
		}
	}
}

// look does nothing while a reload shares out by what it knows.
func (c *scarcity) look() {
	if !c.s.reloading.TryLock() {
		return
	}
	defer c.s.reloading.Unlock()
	c.lookAtMemory()
	c.lookAtLimit()
	if c.s.opts.bear() {
		c.s.tcp.SetPorts(chosenPorts())
	}
}

// lookAtMemory tells both halves of what memory is like.
func (c *scarcity) lookAtMemory() {
	var state pressure.State
	if c.s.opts.MemoryPressure {
		state = c.watch.Look()
	}
	stalled := 0
	for _, w := range c.s.workers {
		stalled += w.tcp.Stalled()
	}
	tight := state.Tight || state.Bound > 0 && int64(stalled)*stalledBytes >= state.Bound/stalledPart
	c.s.tcp.SetMemory(tight, state.Short)
	c.s.udp.SetShort(state.Short)
	if state.Short == c.short {
		return
	}
	c.short = state.Short
	if c.short {
		c.log.Warn().Str("by", state.Gauge).Float64("used", state.Share).Int64("conns", c.s.tcp.Conns()).Int("stalled", stalled).
			Msg("memory is short: new connections and sessions wait, or are refused, until it is not")
	} else {
		c.log.Info().Msg("memory is no longer short")
	}
}

// lookAtLimit shares the fds out anew where somebody has changed the limit.
func (c *scarcity) lookAtLimit() {
	limit, err := fdLimit()
	if err != nil || limit == c.s.budget.fds {
		return
	}
	b, err := plan(&c.s.opts, limit, len(c.s.workers), c.s.lanes, localPorts())
	if err != nil {
		b = shrink(&c.s.opts, limit, c.held, len(c.s.workers), c.s.lanes)
	}
	c.log.Warn().Int("fd_limit", limit).Int("before", c.s.budget.fds).Int("max_conns", b.conns).Int("udp_sessions", b.sessions()).
		Msg("the fd limit was changed: what it carries is shared out anew")
	c.s.budget = b
	c.s.share()
	for _, w := range c.s.workers {
		w.r.Post(func() { w.tcp.SetMaxPipes(b.pipes) })
	}
}
