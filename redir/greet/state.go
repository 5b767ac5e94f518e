package greet

import "time"

// State is how far a proxy has come with its answer. Its zero value is that of a
// connection to whose proxy all is told at once.
type State struct {
	step  step
	waits bool   // one thing at a time
	trial bool   // see Begin
	code  uint16 // what it answered
	left  uint16 // bytes of what is being read that are to come; of "HTTP/1." and its code, those that came
	seen  uint16 // bytes of an HTTP answer so far
}

// step is what the next byte of an answer is.
type step uint8

const (
	methodBegin step = iota // of SOCKS5: version, and method
	methodChosen
	loginBegin // version, and status
	loginStatus
	replyBegin // version, code, reserved, type, address, port
	replyCode
	replyReserved
	replyType
	replyNameLength
	replyBound
	statusBegin // of HTTP, see http.go
	statusMinor
	statusSpace
	statusCode
	statusEnd
	statusReason
	headerBegin
	headerLine
	headerEnd
)

// habit is what is known of a SOCKS5 proxy.
type habit uint32

const (
	unknown   habit = iota
	takesAll        // a hello as one
	asksFirst       // it does not read, or throws away, what it has not asked for
)

// A trial is over TrialPatience after its hello at the latest: a proxy that has
// chosen a method and says nothing else may have thrown away what came behind the
// greeting. Another begins nextTrial later than the last one did.
const (
	TrialPatience = 500 * time.Millisecond
	nextTrial     = int64(30 * time.Second)
)

// Begin is the state of a connection that begins at now (ns of any clock that only
// grows). Where it is a trial that fails, it is to be made again, from Waiting on.
func (p *Proxy) Begin(now int64) State {
	if p.protocol == HTTP {
		return State{step: statusBegin}
	}
	switch habit(p.habit.Load()) {
	case takesAll:
		return State{}
	case asksFirst:
		return State{waits: true}
	}
	last := p.triedAt.Load()
	if last != 0 && now-last < nextTrial || !p.triedAt.CompareAndSwap(last, max(now, 1)) {
		return State{waits: true}
	}
	return State{trial: true}
}

// Waiting is the state of a connection to a SOCKS5 proxy that is told one thing at
// a time, whatever is known of the proxy.
func Waiting() State { return State{waits: true} }

// IsTrial reports whether the connection finds out about the proxy's habit.
func (s *State) IsTrial() bool { return s.trial }

// HasMethod reports whether a SOCKS5 proxy has chosen a method.
func (s *State) HasMethod() bool { return s.step > methodChosen }

// AsksFirst notes that a trial failed where a connection that was told one thing
// at a time did not.
func (p *Proxy) AsksFirst() { p.habit.Store(uint32(asksFirst)) }
