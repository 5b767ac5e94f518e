package watch

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/view"
	"sluice/redir/count"
	"sluice/redir/record"
)

// Bounds and defaults of what a sample tells.
const (
	defaultFlows   = 50
	mostFlows      = 200  // of a subscriber
	mostPage       = 1000 // of Rates
	defaultTalkers = 20   // clients, and as many destinations
	mostTalkers    = 200
	historySize    = 120 // samples: two minutes
)

// Source is what of a redir.Server is looked at.
type Source interface {
	Flows(ctx context.Context, detail record.Detail, visit func([]record.Record) bool) error
	Flow(ctx context.Context, id record.ID) (record.Record, error)
	Ended(size int) *record.Feed
	Stats() count.Stats
	Now() int64
	Wall(ns int64) time.Time
	Reactors() int
}

// Config is where a Watch gets things from. It calls all of it from one goroutine.
type Config struct {
	Source Source
	Usage  func() (cpu time.Duration, memory uint64) // of the process: time since its start, and resident bytes; nil: not told
	Health func() api.Health                         // nil: it is well
}

// ErrClosed says that the Watch was closed.
var ErrClosed = errors.New("sluice is ending: it looks at its flows no more")

// Watch samples for its subscribers. Any goroutine may use it.
type Watch struct {
	config Config

	changing    sync.Mutex // held by who changes what follows, or sends
	subscribers []*subscriber
	history     []api.Sample  // the oldest first
	stop        func()        // the sampler; nil: it does not run
	ended       chan struct{} // closed when the sampler has
	settling    *time.Timer   // nil: nothing is to be given back
	isClosed    bool
}

// subscriber is whom samples are for.
type subscriber struct {
	best    *view.Best // the sampler's alone
	talkers int
	samples chan api.Sample // of room for one; closed when it has left
}

// New returns a Watch, which does nothing until somebody asks.
func New(c Config) *Watch {
	if c.Usage == nil {
		c.Usage = func() (time.Duration, uint64) { return 0, 0 }
	}
	if c.Health == nil {
		c.Health = func() api.Health { return api.Health{Well: true} }
	}
	return &Watch{config: c}
}

// Subscribe gives a sample within a second and each second from then on, with the
// flows that q asks for: q.Limit of them, 0 for 50, at most 200, less than 0 for none.
// A sample that nobody has received is replaced by the next. The channel is closed
// after leave, which is idempotent, and when the Watch is closed.
func (w *Watch) Subscribe(q api.Query) (samples <-chan api.Sample, leave func(), err error) {
	s, err := newSubscriber(q, mostFlows, defaultTalkers)
	if err == nil {
		err = w.enter(s)
	}
	if err != nil {
		return nil, nil, err
	}
	return s.samples, func() { w.leave(s) }, nil
}

// Rates is a page of the flows that q asks for, with their rates, after two looks.
// Limits are those of Subscribe, but up to 1000.
func (w *Watch) Rates(ctx context.Context, q api.Query) (api.FlowPage, error) {
	s, err := w.once(ctx, q, 0)
	return api.FlowPage{Flows: s.Flows, Total: s.Total, Next: s.Next}, err
}

// Top are up to limit clients and as many destinations, 0 for 20, at most 200, after
// two looks.
func (w *Watch) Top(ctx context.Context, limit int) (api.Top, error) {
	if limit <= 0 {
		limit = defaultTalkers
	}
	s, err := w.once(ctx, api.Query{Limit: -1}, min(limit, mostTalkers))
	return s.Top, err
}

// once is the first sample that has rates.
func (w *Watch) once(ctx context.Context, q api.Query, talkers int) (api.Sample, error) {
	s, err := newSubscriber(q, mostPage, talkers)
	if err == nil {
		err = w.enter(s)
	}
	if err != nil {
		return api.Sample{}, err
	}
	defer w.leave(s)
	for {
		select {
		case sample, ok := <-s.samples:
			if !ok {
				return api.Sample{}, ErrClosed
			}
			if sample.Interval > 0 {
				return sample, nil
			}
		case <-ctx.Done():
			return api.Sample{}, ctx.Err()
		}
	}
}

// History is what a sample tells of networks and of the process, for up to the last
// 120 samples, the oldest first: nothing, where nobody has subscribed.
func (w *Watch) History() []api.Sample {
	w.changing.Lock()
	defer w.changing.Unlock()
	return slices.Clone(w.history)
}

// Close ends everything. It is idempotent.
func (w *Watch) Close() {
	w.changing.Lock()
	w.isClosed = true
	for _, s := range w.subscribers {
		close(s.samples)
	}
	w.subscribers = nil
	if w.settling != nil {
		w.settling.Stop()
	}
	stop, ended := w.stop, w.ended
	w.changing.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}

func newSubscriber(q api.Query, most, talkers int) (*subscriber, error) {
	f, err := view.NewFilter(q)
	if err != nil {
		return nil, err
	}
	if q.Limit == 0 {
		q.Limit = defaultFlows
	}
	return &subscriber{view.NewBest(f, min(max(q.Limit, 0), most)), talkers, make(chan api.Sample, 1)}, nil
}

// enter adds a subscriber; the first starts the sampler.
func (w *Watch) enter(s *subscriber) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	if w.isClosed {
		return ErrClosed
	}
	w.subscribers = append(w.subscribers, s)
	if w.stop != nil {
		return nil
	}
	if w.settling != nil {
		w.settling.Stop()
	}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(context.Background())
	w.ended = make(chan struct{})
	go w.run(ctx, w.ended)
	return nil
}

func (w *Watch) leave(s *subscriber) {
	w.changing.Lock()
	defer w.changing.Unlock()
	if i := slices.Index(w.subscribers, s); i >= 0 {
		w.subscribers = slices.Delete(w.subscribers, i, i+1)
		close(s.samples)
	}
}

// present are the subscribers; without any, the sampler is as good as ended, and the
// next subscriber starts another.
func (w *Watch) present() []*subscriber {
	w.changing.Lock()
	defer w.changing.Unlock()
	if len(w.subscribers) == 0 {
		w.stop()
		w.stop, w.history = nil, nil
	}
	return slices.Clone(w.subscribers)
}

// send gives one who is still there a sample, in place of one that was not received.
func (w *Watch) send(s *subscriber, sample api.Sample) {
	w.changing.Lock()
	defer w.changing.Unlock()
	if !slices.Contains(w.subscribers, s) {
		return
	}
	select {
	case <-s.samples:
	default:
	}
	s.samples <- sample // nobody else sends
}

// remember adds to the history.
func (w *Watch) remember(s api.Sample) {
	s.Top, s.Flows, s.Refusals = api.Top{}, nil, nil
	w.changing.Lock()
	defer w.changing.Unlock()
	if w.isClosed {
		return
	}
	if len(w.history) == historySize {
		copy(w.history, w.history[1:])
		w.history = w.history[:historySize-1]
	}
	w.history = append(w.history, s)
}

// settle gives back the memory of the sampler that ends, unless somebody asks again
// within settleAfter.
func (w *Watch) settle(giveBack func()) {
	w.changing.Lock()
	defer w.changing.Unlock()
	if !w.isClosed && w.stop == nil {
		w.settling = time.AfterFunc(settleAfter, giveBack)
	}
}
