package route

import (
	"slices"

	"sluice/redir/domain"
	"sluice/redir/prefix"
	"sluice/redir/ruleset"
)

// shape is conditions in the form in which some are compared with others: those
// that are not logical, and what one rule of a rule set adds to them. Each group is
// nil where all flows meet it. An opaque shape stands for conditions of which
// nothing is known but that they are met by some of what meets the shape.
type shape struct {
	prefixes, sources  []*prefix.Set // any of them
	names              []*domain.Set
	ports, sourcePorts ruleset.Ports
	networks           Network
	inbounds           []string
	macs               []MAC
	week               *week
	opaque             bool
}

// maxShapes bounds what is compared of one rule.
const maxShapes = 64

// shapes are what the conditions come to: flows that meet one of them, and no
// others. False: they come to no such list, or to a long one.
func (m *matcher) shapes() (all []shape, ok bool) {
	switch {
	case m.invert:
		return nil, false
	case m.mode == Or:
		for i := range m.rules {
			some, ok := m.rules[i].shapes()
			if all = append(all, some...); !ok || len(all) > maxShapes {
				return nil, false
			}
		}
		return all, true
	case m.mode == And:
		return nil, false
	case m.sets == nil:
		return []shape{m.shape()}, true
	}
	for _, set := range m.sets {
		if len(all)+len(set) > maxShapes {
			return nil, false
		}
		for i := range set {
			all = append(all, m.shape().with(&set[i]))
		}
	}
	return all, true
}

// shape is that of what the conditions say themselves.
func (m *matcher) shape() shape {
	s := shape{networks: m.networks, inbounds: m.inbounds, macs: m.macs, week: m.week, ports: m.ports, sourcePorts: m.sourcePorts}
	if m.hasDest {
		s.prefixes, s.names = []*prefix.Set{m.prefixes}, []*domain.Set{m.names}
	}
	if m.sources != nil {
		s.sources = []*prefix.Set{m.sources}
	}
	return s
}

// with is the shape with conditions of a rule set merged into it.
func (s shape) with(m *matcher) shape {
	if m.mode != NotLogical || m.invert {
		s.opaque = true
		return s
	}
	add := m.shape()
	s.prefixes, s.names, s.sources = slices.Concat(s.prefixes, add.prefixes), slices.Concat(s.names, add.names), slices.Concat(s.sources, add.sources)
	s.ports, s.sourcePorts = ruleset.PortsOf(slices.Concat(s.ports, add.ports)), ruleset.PortsOf(slices.Concat(s.sourcePorts, add.sourcePorts))
	switch {
	case s.networks == 0:
		s.networks = add.networks
	case add.networks != 0 && add.networks != s.networks: // no flow has both
		s.opaque = true
	}
	return s
}

// covers tells that each flow which meets other meets s. False: perhaps not.
func (s *shape) covers(other *shape) bool {
	switch {
	case s.opaque,
		s.networks != 0 && s.networks != other.networks,
		!coversAll(s.inbounds, other.inbounds), !coversAll(s.macs, other.macs),
		s.week != nil && (other.week == nil || !s.week.cover(other.week)),
		s.ports != nil && (other.ports == nil || !s.ports.Cover(other.ports)),
		s.sourcePorts != nil && (other.sourcePorts == nil || !s.sourcePorts.Cover(other.sourcePorts)),
		s.sources != nil && (other.sources == nil || !each(other.sources, s.sources, (*prefix.Set).Covers)):
		return false
	case s.prefixes == nil:
		return true
	}
	return other.prefixes != nil && each(other.prefixes, s.prefixes, (*prefix.Set).Covers) &&
		each(other.names, s.names, (*domain.Set).Covers)
}

// coversAll tells that all holds each of some, where nil are any.
func coversAll[T comparable](all, some []T) bool {
	return all == nil || some != nil && !slices.ContainsFunc(some, func(t T) bool { return !slices.Contains(all, t) })
}

// each tells that each of some is covered by one of all.
func each[T comparable](some, all []T, covers func(all, some T) bool) bool {
	return !slices.ContainsFunc(some, func(t T) bool {
		return !slices.ContainsFunc(all, func(a T) bool { return a == t || covers(a, t) })
	})
}
