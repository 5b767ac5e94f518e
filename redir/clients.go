package redir

import (
	"fmt"
	"net/netip"

	"sluice/redir/admit"
	"sluice/redir/shape"
)

// NoBound, for a bound of ClientOptions, leaves clients unbounded.
const NoBound = -1

// ClientOptions are what one client may have: an address, and half as much
// again the network of an IPv6 one. 0: derived from what there is.
type ClientOptions struct {
	Conns    int
	Dials    int // that are unanswered
	Connects int // new connections a second
	Sessions int
	Rate     shape.Limit
	Prefix   int // bits of an IPv6 client's network
	Exempt   []netip.Prefix
}

// MostClientBound is the highest bound of what one client may have.
const MostClientBound = 1 << 24

func (c *ClientOptions) validate() error {
	for _, n := range []struct {
		name  string
		value int
	}{
		{"--client-conns", c.Conns}, {"--client-dials", c.Dials}, {"--client-connects", c.Connects}, {"--client-sessions", c.Sessions},
	} {
		if n.value < NoBound || n.value > MostClientBound {
			return fmt.Errorf("%s %d: must be between 1 and %d, auto or off", n.name, n.value, MostClientBound)
		}
	}
	if c.Prefix < admit.LeastPrefix || c.Prefix > 128 {
		return fmt.Errorf("--client-prefix %d: must be between %d and 128", c.Prefix, admit.LeastPrefix)
	}
	for _, p := range c.Exempt {
		if p.Addr().Is4In6() {
			return fmt.Errorf("--client-exempt %s: write it as IPv4", p)
		}
	}
	return nil
}
