package loop

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// eventsPerWait bounds what one epoll_wait hands over, and with it the
	// length of a turn. 256 events of 12 bytes fit in one page.
	eventsPerWait = 256
	// retireLook is how soon a reactor with nothing else to do looks again
	// whether the others have let go of its retired fds.
	retireLook = int64(10 * time.Millisecond)
	// turnLength is how long a turn may go on with those who asked with Again.
	turnLength = int64(100 * time.Microsecond)
)

// Reactor is one event loop. New ones come from NewGroup. All methods but
// Post, Index and Turns belong to the reactor's thread, that is, to handlers,
// timers, hooks and posted functions.
type Reactor struct {
	group  *Group
	index  int
	engine engine
	start  time.Time
	now    int64

	slots   slots
	timers  timers
	again   againQueue
	served  []func()
	hooks   []func()
	calls   *Calls // nil: there is no ring
	retired retireQueue
	poll    busyPoll
	streams streams
	events  [eventsPerWait]event

	_     [64]byte // what other threads write starts on a line of its own
	epoch atomic.Uint64
	turns atomic.Uint64
	_     [64]byte

	mu      sync.Mutex
	posted  []func()
	stopped bool
}

func newReactor(g *Group, index int) (*Reactor, error) {
	e, err := newEpoll()
	if err != nil {
		return nil, err
	}
	return &Reactor{group: g, index: index, engine: e, start: g.start}, nil
}

// Index is the reactor's place in its group, from 0.
func (r *Reactor) Index() int { return r.index }

// Now is the time at which this turn began, in ns since the group was made;
// monotonic, and the same scale for all reactors of a group.
func (r *Reactor) Now() int64 { return r.now }

// Turns is how many turns the reactor has begun; from any goroutine.
func (r *Reactor) Turns() uint64 { return r.turns.Load() }

// Add registers fd, edge-triggered, until it is closed by Close or Retire.
// Interest is never changed later. fd stays the caller's on error.
func (r *Reactor) Add(fd int, interest Events, h Handler) error {
	tag := r.slots.put(fd, h)
	if err := r.engine.arm(fd, interest, tag); err != nil {
		r.slots.drop(fd)
		return err
	}
	return nil
}

// Close ends fd's registration, if it has one, and closes it.
func (r *Reactor) Close(fd int) {
	r.slots.drop(fd)
	closeFD(fd)
}

// Forget ends fd's registration and leaves it open.
func (r *Reactor) Forget(fd int) {
	if r.slots.drop(fd) {
		r.engine.disarm(fd)
	}
}

// Retire ends fd's registration, and closes it when every reactor of the
// group has finished the turn it is in (quiescent-state reclamation). So an fd
// number cannot be reused under a send that another reactor is preparing. Call
// it after the fd can no longer be found.
func (r *Reactor) Retire(fd int) {
	r.slots.drop(fd)
	r.retire(fd, nil)
}

// Pass is Retire of an fd that stays open and registered: heir gets it when every
// reactor has finished its turn. Nobody hears of its edges from now on until it is
// adopted.
func (r *Reactor) Pass(fd int, heir Heir) {
	r.slots.hand(fd, nobody{})
	r.retire(fd, heir)
}

// Adopt calls h for an fd that was passed on, and tells whether it was registered
// at all. Edges of before may be among those that h hears of.
func (r *Reactor) Adopt(fd int, h Handler) bool { return r.slots.hand(fd, h) }

// nobody hears of edges.
type nobody struct{}

// Ready implements Handler.
func (nobody) Ready(Events) {}

func (r *Reactor) retire(fd int, heir Heir) {
	r.retired.add(fd, r.group.epoch.Add(1), heir)
	r.group.retired.Add(1)
}

// Retired is how many fds of the whole group were retired and are still open;
// from any goroutine. Whoever retires to make room for another stops while it is
// at the bound (Group.SetRetireBound).
func (r *Reactor) Retired() int { return int(r.group.retired.Load()) }

// Again asks for Ready(0) of the handler of fd without waiting for an edge: behind
// those who asked before, and in each turn behind those whom an edge has called.
// Turns do not block while anybody waits for that call. It is one call, however
// often it was asked for.
func (r *Reactor) Again(fd int) {
	if tag, ok := r.slots.ask(fd); ok {
		r.again.push(tag)
	}
}

// OnEdgesServed adds a function that every turn calls when all edges have been handed
// out, before it calls those who asked with Again.
func (r *Reactor) OnEdgesServed(hook func()) { r.served = append(r.served, hook) }

// OnTurnEnd adds a function that every turn calls last.
func (r *Reactor) OnTurnEnd(hook func()) { r.hooks = append(r.hooks, hook) }

// Arm sets t to call h.Expired after d; an armed timer is moved.
func (r *Reactor) Arm(t *Timer, h TimerHandler, d time.Duration) {
	r.timers.arm(t, h, r.now+int64(d))
}

// Cancel disarms t; a disarmed timer is left as it is.
func (r *Reactor) Cancel(t *Timer) { r.timers.cancel(t) }

// Post runs f on the reactor's thread soon. From any goroutine. It reports
// false, and f will not run, when the reactor has stopped.
func (r *Reactor) Post(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return false
	}
	r.posted = append(r.posted, f)
	if len(r.posted) == 1 {
		r.engine.wake()
	}
	return true
}

// run is the loop. It ends when the group stops; a panic is an error that holds
// the stack.
func (r *Reactor) run() (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reactor %d: panic: %v\n%s", r.index, p, debug.Stack())
		}
	}()
	defer r.shut()
	for !r.group.stopping.Load() {
		if err := r.turn(); err != nil {
			return fmt.Errorf("reactor %d: %w", r.index, err)
		}
	}
	return nil
}

func (r *Reactor) turn() error {
	n, err := r.wait()
	if err != nil && !errors.Is(err, unix.EINTR) {
		return os.NewSyscallError("epoll_wait", err)
	}
	r.epoch.Store(r.group.epoch.Load())
	r.turns.Add(1)
	r.now = int64(time.Since(r.start))
	for i := range r.events[:max(n, 0)] {
		if h := r.slots.get(r.events[i].tag); h != nil {
			h.Ready(r.events[i].bits)
		}
	}
	for _, hook := range r.served {
		hook()
	}
	r.runAgain()
	r.timers.expire(r.now)
	r.runPosted()
	for _, hook := range r.hooks {
		hook()
	}
	r.epoch.Store(quiescent)
	r.closeRetired()
	return nil
}

// timeout is how long the next wait may block, in ns; negative for ever.
func (r *Reactor) timeout() int64 {
	if r.again.n > 0 {
		return 0
	}
	left := int64(-1)
	if deadline, ok := r.timers.next(); ok {
		left = max(0, deadline-int64(time.Since(r.start)))
	}
	if r.retired.waiting() && (left < 0 || left > retireLook) {
		left = retireLook
	}
	return left
}

// runAgain calls who asked with Again, once each, until the turn has lasted long
// enough: then those whom an edge calls come before the rest.
func (r *Reactor) runAgain() {
	for range r.again.n {
		if h := r.slots.answer(r.again.pop()); h != nil {
			h.Ready(0)
			if r.clock()-r.now >= turnLength {
				return
			}
		}
	}
}

func (r *Reactor) runPosted() {
	r.mu.Lock()
	fns := r.posted
	r.posted = nil
	r.mu.Unlock()
	for _, f := range fns {
		f()
	}
}

// shut runs what was still posted and closes what the reactor itself holds.
func (r *Reactor) shut() {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.runPosted()
	r.epoch.Store(quiescent)
	r.engine.close()
	r.dropRing()
}
