package outbound

import (
	"sluice/redir/inbound"
	"sluice/redir/route"
	"sluice/redir/upstream"
)

// Way is how flows leave that came by one inbound and met one rule. It never
// changes.
type Way struct {
	In       *inbound.Inbound
	Out      *Outbound
	Rule     int           // index into route.Spec.Rules, or route.Final
	Port     uint16        // at which the destination is dialled; 0: its own
	Path     upstream.Path // of sockets towards the destination or the server
	Members  []*Way        // of a Group
	Fallback *Way          // nil: none
}

// Now is the way itself or, of a group, that of the member which carries new flows
// now.
func (w *Way) Now() *Way { return w }

// Router knows the way of each inbound's flows. By a nil one everything leaves
// directly.
type Router struct {
	table *route.Table
	ways  map[*inbound.Inbound][]*Way // by rule, that of Final first
}

// NewRouter returns a router for inbounds that are open, by which everything leaves
// directly.
func NewRouter(inbounds []*inbound.Inbound) *Router {
	r := &Router{ways: make(map[*inbound.Inbound][]*Way, len(inbounds))}
	for _, in := range inbounds {
		r.ways[in] = []*Way{Plain(in)}
	}
	return r
}

// Plain is the way of an inbound where nothing is said of outbounds.
func Plain(in *inbound.Inbound) *Way {
	return &Way{In: in, Out: direct(), Rule: route.Final, Path: in.Path}
}

// Way is that of a flow which came by in and met a rule of the table. An inbound
// that was closed meanwhile has its own path alone.
func (r *Router) Way(in *inbound.Inbound, rule int) *Way {
	if r != nil {
		if ways := r.ways[in]; ways != nil {
			return ways[rule+1]
		}
	}
	return Plain(in)
}

// Decide finds the way of a flow that came by in. NeedsName is true where that
// depends on the flow's name, which is not known yet; then there is no way.
func (r *Router) Decide(in *inbound.Inbound, f *route.Flow) (way *Way, needsName bool) {
	if r == nil || r.table == nil {
		return r.Way(in, route.Final).Now(), false
	}
	f.Inbound = in.Tag
	v := r.table.Decide(f)
	if v.NeedsName {
		return nil, true
	}
	return r.Way(in, v.Rule).Now(), false
}
