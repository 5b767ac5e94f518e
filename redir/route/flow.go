package route

import "net/netip"

// Network is the protocol of a flow.
type Network uint8

const (
	TCP Network = 1 << iota
	UDP
)

func (n Network) String() string {
	if n == UDP {
		return "udp"
	}
	return "tcp"
}

// Flow is what a flow shows of itself when it begins.
type Flow struct {
	Inbound      string // its tag
	Network      Network
	Client, Dest netip.AddrPort // unmapped
	Name         string         // lower case, without a dot at its end; "": none that is known
	Named        bool           // more than Name will not be known
}

// Final is the rule of flows that no rule is for.
const Final = -1

// Verdict is what a Table says of a flow.
type Verdict struct {
	Rule      int  // index into Spec.Rules, or Final
	NeedsName bool // Rule is not known before the flow's name is
}
