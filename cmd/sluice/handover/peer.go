package handover

import "fmt"

// Peer is who is at the other end.
type Peer struct {
	PID, UID int    // when it connected, or listened; 0 for a PID of another namespace
	Release  string // of its program, as it says
	Manager  string // of a successor: the NOTIFY_SOCKET that it has
	Rules    bool   // of a successor: it installs rules
}

func (p Peer) String() string { return fmt.Sprintf("pid %d", p.PID) }
