package redir

import (
	"sluice/redir/admit"
	"sluice/redir/inbound"
	"sluice/redir/shape"
)

const (
	// manyConns is what one client may have where half of all would be less: a
	// torrent client, a load generator, an office behind one address; but never the
	// last of them. It may dial as many where an eighth of all would be less, but
	// never more than half of all.
	manyConns = 5000
	// manySessions is the same for UDP. It may be all: where the table is full, who
	// has the most makes room.
	manySessions = 5000
	// lastPart is what is left to others, as 1/lastPart of all.
	lastPart = 128
)

// clientBounds says what one client may have of b. All dials of one are never
// more than half of the connections that there may be.
func (o *Options) clientBounds(b budget) *admit.Bounds {
	c := &o.Clients
	bounds := &admit.Bounds{
		Conns:    below(b.conns, boundOf(c.Conns, max(b.conns/2, min(b.conns-b.conns/lastPart, manyConns)))),
		Dials:    boundOf(c.Dials, max(b.conns/8, min((b.conns+1)/2, manyConns))),
		Connects: boundOf(c.Connects, 0),
		Paced:    c.Connects == 0,
		Sessions: below(b.sessions(), boundOf(c.Sessions, max(b.sessions()/2, min(b.sessions(), manySessions)))),
		Prefix:   c.Prefix, Exempt: c.Exempt,
	}
	if bounds.Dials > 0 && b.conns > 0 {
		bounds.Dials = min(bounds.Dials, (b.conns+1)/2)
	}
	return bounds
}

// rates are how fast one client may be, by inbounds as they are open.
func (o *Options) rates(inbounds []*inbound.Inbound) *admit.Rates {
	r := &admit.Rates{All: o.Clients.Rate, Of: map[uint16]shape.Limit{}}
	for _, in := range inbounds {
		if in.ClientRate.IsSet() {
			r.Of[in.ID] = in.ClientRate
		}
	}
	return r
}

// boundOf is what admit.Bounds takes for a flag's value.
func boundOf(value, derived int) int {
	switch value {
	case NoBound:
		return 0
	case 0:
		return derived
	}
	return value
}

// below is a bound that is less than all, or none: who may have all waits, or
// makes room, as all do.
func below(all, bound int) int {
	if bound >= all {
		return 0
	}
	return bound
}
