package admit

import (
	"net/netip"

	"sluice/redir/count"
)

// Bounds are what one client may have at once, and how fast it may have it. 0
// bounds nothing.
type Bounds struct {
	Conns    int
	Dials    int  // connections whose upstream has not answered yet
	Connects int  // new connections a second; as many may come at once
	Sessions int  // of UDP
	Paced    bool // where Connects is 0, the pace that Connect is told of holds

	Prefix int            // bits of the network of an IPv6 client, 48 to 128
	Exempt []netip.Prefix // clients that are counted, and never refused
}

// DefaultPrefix is the network that is one host's or one LAN's (RFC 4291,
// section 2.5.4; RFC 8981: a host draws its addresses from all of it).
const DefaultPrefix = 64

// LeastPrefix bounds Prefix from below: what one site has (RFC 6177).
const LeastPrefix = 48

// networkShare is what all clients of an IPv6 network may have together, as
// parts of 2 of what one may. A host may use as many addresses as it likes, but
// a LAN shares one network: who fills its own bound leaves its neighbours some.
const networkShare = 3

func ofNetwork(n int) int { return n * networkShare / 2 }

func (b *Bounds) isExempt(addr netip.Addr) bool {
	for _, p := range b.Exempt {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// Refusal says why a client got nothing. The zero value: it did.
type Refusal struct {
	Cause count.Counter
	Bound int          // what it may have at once, or in a second
	Of    netip.Prefix // whose bound it is: the client, or its network
}

// Flag names the flag that sets the bound.
func (r Refusal) Flag() string {
	switch r.Cause {
	case count.RefusedClientConns:
		return "--client-conns"
	case count.RefusedClientDials:
		return "--client-dials"
	case count.RefusedClientConnects:
		return "--client-connects"
	case count.RefusedClientSessions:
		return "--client-sessions"
	}
	return ""
}
