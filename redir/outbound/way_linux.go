package outbound

import (
	"cmp"
	"unique"

	"sluice/redir/inbound"
	"sluice/redir/route"
	"sluice/redir/upstream"
)

// Way is how flows leave that came by one inbound and met one rule. It never
// changes.
type Way struct {
	In       *inbound.Inbound
	Out      *Outbound
	Rule     int                          // index into route.Spec.Rules, or route.Final
	Port     uint16                       // at which the destination is dialled; 0: its own
	Path     upstream.Path                // of sockets towards the destination or the server
	Handle   unique.Handle[upstream.Path] // of Path
	Members  []*Way                       // of a Group
	Fallback *Way                         // nil: none
}

// Now is the way itself or, of a group, that of the member which carries new flows
// now. Of a group whose members are all down, that is its fallback.
func (w *Way) Now() *Way {
	for w.Out.members != nil {
		i, up := w.Out.members.now()
		if !up && w.Fallback != nil {
			w = w.Fallback
		} else {
			w = w.Members[i]
		}
	}
	return w
}

// Usable is the way that a flow takes which begins at now (ns of Reactor.Now): this
// one, or a fallback where a server is down; nil where all are. Ask once for each
// flow, see Outbound.Usable.
func (w *Way) Usable(now int64) *Way {
	for w != nil {
		w = w.Now()
		if w.Out.Usable(now) {
			return w
		}
		w = w.Fallback
	}
	return nil
}

// Router knows the way of each inbound's flows. By a nil one everything leaves
// directly.
type Router struct {
	table *route.Table
	ways  map[*inbound.Inbound][]*Way // by rule, that of Final first
}

// NewRouter returns a router for inbounds that are open. Without outbounds,
// everything leaves directly; the table is that of the spec, whose tags name them.
func NewRouter(inbounds []*inbound.Inbound, outs *Set, spec *route.Spec, table *route.Table) *Router {
	r := &Router{table: table, ways: make(map[*inbound.Inbound][]*Way, len(inbounds))}
	for _, in := range inbounds {
		if outs == nil || len(outs.All) == 0 {
			r.ways[in] = []*Way{Plain(in)}
			continue
		}
		m := wayMaker{in: in, outs: outs, rule: route.Final}
		final := cmp.Or(spec.Final, outs.All[0].Tag)
		ways := []*Way{m.way(final)}
		for i, rule := range spec.Rules {
			m.rule, m.port = i, rule.Port
			ways = append(ways, m.way(cmp.Or(rule.Outbound, final)))
		}
		r.ways[in] = ways
	}
	return r
}

// wayMaker makes the ways of one inbound and one rule.
type wayMaker struct {
	in   *inbound.Inbound
	outs *Set
	rule int
	port uint16
}

// way is that of a tag, with all that it leads on to; nil for none.
func (m *wayMaker) way(tag string) *Way {
	o := m.outs.Tagged(tag)
	if o == nil {
		return nil
	}
	w := m.alone(o)
	w.Fallback = m.way(o.Fallback)
	for i, member := range o.Members {
		to := m.way(member)
		if to.Fallback == nil {
			to.Fallback = m.another(o, i, w.Fallback)
		}
		w.Members = append(w.Members, to)
	}
	return w
}

// another is what takes the place of member i of a group where that fails and has
// no fallback of its own: the next member, and then the group's.
func (m *wayMaker) another(group *Outbound, i int, fallback *Way) *Way {
	if len(group.Members) == 1 {
		return fallback
	}
	next := m.way(group.Members[(i+1)%len(group.Members)])
	if next.Fallback == nil {
		next.Fallback = fallback
	}
	return next
}

// alone is the way of an outbound, which leads on to no other yet.
func (m *wayMaker) alone(o *Outbound) *Way {
	path := o.PathFrom(m.in.Path)
	return &Way{In: m.in, Out: o, Rule: m.rule, Port: m.port, Path: path, Handle: unique.Make(path)}
}

// Plain is the way of an inbound where nothing is said of outbounds.
func Plain(in *inbound.Inbound) *Way {
	return &Way{In: in, Out: &Outbound{Spec: direct()}, Rule: route.Final, Path: in.Path, Handle: unique.Make(in.Path)}
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

// HasRules reports whether the way of a flow depends on more than its inbound.
func (r *Router) HasRules() bool { return r != nil && r.table != nil }

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
