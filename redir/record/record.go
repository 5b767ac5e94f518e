package record

import (
	"net/netip"

	"sluice/redir/count"
)

// State is where a flow stands in its life.
type State uint8

const (
	Awaiting   State = iota // of a connection: the header of a front
	Sniffing                // the client's first bytes, by which its way is decided
	Dialing                 // the upstream's handshake
	Greeting                // the answer of an outbound's server
	Relaying                // bytes move, or may
	Bulk                    // the same, and much of late
	HalfClosed              // one side has ended, and the other goes on
	Lingering               // one side failed, and the other gets what it had sent
	Unanswered              // of a session: nothing has come back yet
	Ended
	numStates
)

var stateNames = [numStates]string{
	Awaiting: "awaiting-header", Sniffing: "sniffing", Dialing: "dialing", Greeting: "greeting", Relaying: "relaying",
	Bulk: "bulk", HalfClosed: "half-closed", Lingering: "lingering", Unanswered: "unanswered", Ended: "ended",
}

func (s State) String() string { return stateNames[s] }

// States are all of them.
func States() []State {
	all := make([]State, numStates)
	for i := range all {
		all[i] = State(i)
	}
	return all
}

// Detail says how much of a record is wanted.
type Detail uint8

const (
	Brief Detail = iota // what the worker knows by itself: no Source, no Server; Dest is where it is dialed
	Full                // besides, what the kernel knows: one to three system calls
)

// Record is what is known of one flow. Times are ns of Reactor.Now.
type Record struct {
	ID      ID
	State   State
	Cause   count.Counter // of its end; 0: it has not ended
	Held    bool          // its client has used up its rate
	Inbound string        // tag

	Client netip.AddrPort
	Dest   netip.AddrPort // where the client was going; of a session, where it wrote first
	Name   string         // of the destination, where the first bytes were looked at and had one
	Dialed netip.AddrPort // the destination as it is reached: not Dest where a forward leads elsewhere or a port is mapped
	Source netip.AddrPort // what the destination, or the server, sees; invalid where there is no socket yet
	Server netip.AddrPort // of an outbound that has one
	Out    string         // tag of the outbound
	Rule   int            // index into route.Spec.Rules, or route.Final
	Mark   uint32         // of the socket towards the destination or the server
	Start  int64
	Active int64 // of the last byte or datagram
	End    int64 // 0: it has not ended
	Up     Traffic
	Down   Traffic
}

// Traffic is what went one way. Of a connection there are no datagrams. Bytes are of
// payloads: a connection's are handed to the other side's socket, also while they are
// spliced; a session's are on their way there: what the socket then refuses is
// counted as a drop, and not taken off here.
type Traffic struct {
	Bytes     uint64
	Datagrams uint64
}
