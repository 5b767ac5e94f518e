package watch

import (
	"context"
	"runtime/debug"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

const (
	period = time.Second // between the beginnings of two looks
	// leastRest is between the end of a look and the next: so a look that takes longer
	// than a second keeps nothing busy all the time.
	leastRest = 250 * time.Millisecond
	// lookWait is how long a look waits for the next slice of a reactor that is stuck.
	lookWait = 3 * time.Second
	// feedSize is how many records of ends are kept in all, of 300 bytes each: the ends
	// of a quarter of a second at 15,000 a second. leastFeed is that of a worker.
	feedSize, leastFeed = 4096, 256
	// gatherPause is between two looks at the feed, while flows end.
	gatherPause = 20 * time.Millisecond
	// settleAfter is when the memory of a sampler is given back to the system that has
	// known settleFlows or more: a collection of garbage, which takes its time.
	settleAfter = 10 * time.Second
	settleFlows = 10000
)

// run is the sampler's goroutine.
func (w *Watch) run(ctx context.Context, ended chan<- struct{}) {
	defer close(ended)
	s := newSampler(w.config)
	defer s.feed.Close()
	for {
		present := w.present()
		if len(present) == 0 {
			break
		}
		begin := time.Now()
		s.look(ctx, present)
		if ctx.Err() != nil {
			return
		}
		sample := s.sample(present)
		s.fill(ctx, present)
		for _, one := range present {
			w.send(one, s.fit(sample, one))
		}
		w.remember(sample)
		s.reset(present)
		s.rest(ctx, begin.Add(max(period, time.Since(begin)+leastRest)))
	}
	if s.most >= settleFlows {
		w.settle(debug.FreeOSMemory)
	}
}

// sampler is what is known from one look to the next. It belongs to its goroutine.
type sampler struct {
	config Config
	feed   *record.Feed
	ended  [64]record.Record // of the feed

	flows    flows
	clients  talkers
	dests    talkers
	counters counters
	details  details
	most     int // flows that were known at once

	// Of the present look:
	base     time.Time     // the time of day when Reactor.Now was 0
	interval time.Duration // 0: the first
	dialing  int
	lost     uint64 // ends, before it
}

func newSampler(c Config) *sampler {
	size := max(leastFeed, feedSize/max(1, c.Source.Reactors()))
	stats := c.Source.Stats()
	return &sampler{
		config: c, feed: c.Source.Ended(size), clients: newTalkers(), dests: newTalkers(),
		flows:   newFlows(connections(&stats) + sessions(&stats)),
		details: details{known: map[record.ID]*detail{}},
	}
}

// wall is the time of day at a time of Reactor.Now.
func (s *sampler) wall(ns int64) time.Time { return s.base.Add(time.Duration(ns)) }

// look passes over all flows. One that fails, as where a reactor is stuck, has seen
// some of them.
func (s *sampler) look(ctx context.Context, present []*subscriber) {
	s.base = s.config.Source.Wall(0)
	s.interval = s.counters.look(s.config.Source.Stats())
	s.flows.begin(s.config.Source.Now(), s.interval)
	s.dialing = 0
	s.gather()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(lookWait, cancel)
	defer patience.Stop()
	err := s.config.Source.Flows(ctx, record.Brief, func(slice []record.Record) bool {
		patience.Reset(lookWait)
		now := s.config.Source.Now()
		for i := range slice {
			s.pass(&slice[i], now, present)
		}
		s.gather()
		return true
	})
	s.gather()
	s.most = max(s.most, s.flows.count())
	s.flows.end(err == nil)
}

// pass takes up a flow that runs.
func (s *sampler) pass(r *record.Record, now int64, present []*subscriber) {
	moved, seconds, isFirst := s.flows.pass(r, now)
	if !isFirst {
		return
	}
	if r.State == record.Dialing {
		s.dialing++
	}
	s.clients.of(r.Client.Addr()).run(r, moved)
	dest := s.dests.of(destination(r))
	dest.run(r, moved)
	s.dests.name(dest, r)
	up, down := -1.0, -1.0
	if seconds > 0 {
		up, down = float64(moved.up)/seconds, float64(moved.down)/seconds
	}
	for _, one := range present {
		one.best.Add(r, now, up, down)
	}
}

// fill puts details into the records that are told of.
func (s *sampler) fill(ctx context.Context, present []*subscriber) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	s.details.begin()
	for _, one := range present {
		s.details.fill(ctx, s.config.Source, one.best)
	}
	s.details.end()
}

// gather takes up the flows that have ended.
func (s *sampler) gather() {
	for n := s.feed.Read(s.ended[:]); n > 0; n = s.feed.Read(s.ended[:]) {
		for i := range s.ended[:n] {
			r := &s.ended[i]
			moved := s.flows.ended(r)
			s.clients.of(r.Client.Addr()).add(moved)
			dest := s.dests.of(destination(r))
			dest.add(moved)
			s.dests.name(dest, r)
		}
		clear(s.ended[:n]) // they hold texts
	}
}

// rest gathers until the next look.
func (s *sampler) rest(ctx context.Context, until time.Time) {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for s.feed.Wait(ctx) == nil {
		s.gather()
		select {
		case <-time.After(gatherPause):
		case <-ctx.Done():
		}
	}
}

// reset forgets what belongs to the look that is over.
func (s *sampler) reset(present []*subscriber) {
	s.clients.reset()
	s.dests.reset()
	for _, one := range present {
		one.best.Reset()
	}
}

// sample is what the look tells to all.
func (s *sampler) sample(present []*subscriber) api.Sample {
	talkers := 0
	for _, one := range present {
		talkers = max(talkers, one.talkers)
	}
	sample := s.counters.sample()
	sample.Time, sample.Dialing, sample.Health = s.wall(s.flows.began), s.dialing, s.config.Health()
	s.counters.use(&sample, s.config.Usage)
	sample.Clients = s.clients.top(talkers, s.interval)
	sample.Destinations = s.dests.top(talkers, s.interval)
	lost := s.feed.Lost()
	sample.Lost, s.lost = lost-s.lost, lost
	return sample
}

// fit is the sample as one subscriber wants it.
func (s *sampler) fit(sample api.Sample, one *subscriber) api.Sample {
	page := one.best.Page(s.wall)
	sample.Flows, sample.Total, sample.Next = page.Flows, page.Total, page.Next
	sample.Clients = sample.Clients[:min(one.talkers, len(sample.Clients))]
	sample.Destinations = sample.Destinations[:min(one.talkers, len(sample.Destinations))]
	return sample
}
