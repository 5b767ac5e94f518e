package handover

import "fmt"

// RefusedError is the no of an incumbent.
type RefusedError struct {
	Peer Peer
	Why  string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the running sluice (%v) does not hand over: %s", e.Peer, e.Why)
}

// SeveralError says that the listeners belong to more than one incumbent.
type SeveralError struct{ PIDs []int }

func (e *SeveralError) Error() string {
	return fmt.Sprintf("several running sluices (pids %v) listen where this one is to: stop all but one of them, or give it ports of its own", e.PIDs)
}

// SilentError says that an incumbent did not answer in time.
type SilentError struct {
	Peer Peer
	Err  error
}

func (e *SilentError) Error() string {
	return fmt.Sprintf("the running sluice (%v) does not answer (%v): end it, with kill -9 %d if need be, and start again", e.Peer, e.Err, e.Peer.PID)
}

func (e *SilentError) Unwrap() error { return e.Err }

// StrangerError says that a name which only a sluice should have belongs to
// another user's process.
type StrangerError struct {
	Name string
	Peer Peer
}

func (e *StrangerError) Error() string {
	return fmt.Sprintf("%s belongs to a process of another user (pid %d, uid %d)", e.Name, e.Peer.PID, e.Peer.UID)
}
