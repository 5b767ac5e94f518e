package outbound

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// testPatience bounds one test of one member.
	testPatience = 5 * time.Second
	// watchPeriod is how often a group looks whether members went down.
	watchPeriod = time.Second
	// downPeriod is how often members are tested while one of them is down, where
	// the group's interval is longer.
	downPeriod = 30 * time.Second
)

// Chosen is told which member of a group carries new flows, where that is another
// than before; delay is what the last test of it took, 0 where it did not answer. It
// is called on a goroutine of the group's.
type Chosen func(group, member *Outbound, delay time.Duration)

// Watcher tests the members of groups, each group on a goroutine of its own.
type Watcher struct {
	dialer Dialer
	chosen Chosen
	done   context.Context
	stop   context.CancelFunc
	ended  sync.WaitGroup

	mu     sync.Mutex
	groups map[*Outbound]context.CancelFunc
}

// NewWatcher returns one that watches nothing yet.
func NewWatcher(d Dialer, chosen Chosen) *Watcher {
	w := &Watcher{dialer: d, chosen: chosen, groups: map[*Outbound]context.CancelFunc{}}
	w.done, w.stop = context.WithCancel(context.Background())
	return w
}

// Keep watches the groups of a set, and no others.
func (w *Watcher) Keep(s *Set) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for o, stop := range w.groups {
		if s.Tagged(o.Tag) != o {
			stop()
			delete(w.groups, o)
		}
	}
	for _, o := range s.All {
		if o.Kind != Group || w.groups[o] != nil {
			continue
		}
		ctx, stop := context.WithCancel(w.done)
		w.groups[o] = stop
		w.ended.Go(func() { w.watch(ctx, o) })
	}
}

// Close ends all goroutines.
func (w *Watcher) Close() {
	w.stop()
	w.ended.Wait()
}

// watch tests the members of a group when it is time, and tells what comes of it.
func (w *Watcher) watch(ctx context.Context, o *Outbound) {
	t, err := ParseTest(o.Test)
	if err != nil {
		return // it was found fault with long before
	}
	look := time.NewTicker(watchPeriod)
	defer look.Stop()
	m, told := o.members, -1
	var delays []time.Duration
	var tested time.Time
	for {
		period := o.Interval
		if slices.ContainsFunc(m.all, (*Outbound).IsDown) {
			period = min(period, downPeriod)
		}
		if delays == nil || time.Since(tested) >= period {
			tested = time.Now()
			delays = w.test(ctx, m, t)
			if ctx.Err() != nil {
				return
			}
			m.rank(delays, o.Tolerance)
		}
		if now, _ := m.now(); now != told {
			told = now
			w.chosen(o, m.all[now], delays[now]%dead)
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// test measures all members at a time.
func (w *Watcher) test(ctx context.Context, m *members, t Test) []time.Duration {
	ctx, cancel := context.WithTimeout(ctx, testPatience)
	defer cancel()
	delays := make([]time.Duration, len(m.all))
	var all sync.WaitGroup
	for i, o := range m.all {
		all.Go(func() { delays[i], _ = w.dialer.measure(ctx, o, t) })
	}
	all.Wait()
	return delays
}
