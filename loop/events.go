package loop

// Events is a set of poll bits, with the values of epoll(7).
type Events uint32

// The bits that a reactor reports. Hangup and Error come whether asked for or
// not (epoll_ctl(2)).
const (
	Readable   Events = 0x1    // EPOLLIN
	Urgent     Events = 0x2    // EPOLLPRI
	Writable   Events = 0x4    // EPOLLOUT
	Error      Events = 0x8    // EPOLLERR
	Hangup     Events = 0x10   // EPOLLHUP
	ReadHangup Events = 0x2000 // EPOLLRDHUP
)

// Handler is called on the reactor's thread.
type Handler interface {
	// Ready reports edges of the registered fd, or, with no bits set, that it is
	// the call that Again asked for.
	Ready(Events)
}

// event is what an engine reports: the tag given at arm, and the bits.
type event struct {
	tag  uint64
	bits Events
}

// engine is one way to learn of readiness. All methods but wake belong to the
// reactor's thread.
type engine interface {
	// arm registers fd once, edge-triggered, for its whole life.
	arm(fd int, interest Events, tag uint64) error
	// disarm forgets an fd that stays open. A closed fd needs none.
	disarm(fd int) error
	// move takes a registered fd into the streams' set, or out of it. What is
	// ready then is reported again.
	move(fd int, interest Events, tag uint64, toStreams bool) error
	// wait fills events and returns how many; timeout in nanoseconds, negative
	// for ever, 0 for a look without blocking. A wake is an event too, with a
	// tag that no slot has.
	wait(events []event, timeout int64) (int, error)
	// waitExactly is wait without rounding up to milliseconds, for ten of them
	// at most.
	waitExactly(events []event, timeout int64) (int, error)
	// lookAtStreams fills events with those of the streams' set, and does not
	// block. They end a wait only once after heedStreams, which also holds for
	// what is ready already, and at the start; streamsReady reports that one
	// did.
	lookAtStreams(events []event) (int, error)
	heedStreams() error
	streamsReady() bool
	// wake ends a wait from any goroutine.
	wake()
	close() error
}
