package outbound

import (
	"sluice/redir/resolve"
)

// Set is all outbounds that are open. It never changes.
type Set struct {
	All []*Outbound // in the order of their specs

	byTag map[string]*Outbound
}

// Changed is told where an outbound's server went down, and why, or is up again. It
// is called on any thread, and must not wait.
type Changed func(o *Outbound, up bool, why error)

// Open opens outbounds, whose specs are valid. Those that are no other than in
// before, which may be nil, are the same, and so is their health. dests finds the
// addresses of servers.
func Open(specs []Spec, before *Set, dests func(resolve.Target) *resolve.Dests, changed Changed) (*Set, error) {
	s := &Set{byTag: map[string]*Outbound{}}
	for i := range specs {
		o := before.still(&specs[i])
		if o == nil {
			var err error
			if o, err = open(specs[i], dests); err != nil {
				return nil, err
			}
		}
		s.All = append(s.All, o)
		s.byTag[o.Tag] = o
	}
	for s.renewGroups() {
	}
	for _, o := range s.All {
		if o.Kind == Group && o.members == nil {
			o.members = newMembers(o, s)
		}
		if o.health.changed == nil {
			o.health.changed = func(up bool, why error) { changed(o, up, why) }
		}
	}
	return s, nil
}

// renewGroups opens those groups again of which a member is another than before,
// and reports whether there were any: they may be members too.
func (s *Set) renewGroups() (any bool) {
	for i, o := range s.All {
		if o.members != nil && !o.members.areOf(s) {
			o = &Outbound{Spec: o.Spec}
			s.All[i], s.byTag[o.Tag], any = o, o, true
		}
	}
	return any
}

// still is the outbound that a spec names, where it is no other than before.
func (s *Set) still(spec *Spec) *Outbound {
	if o := s.Tagged(spec.Tag); o != nil && o.isStill(spec) {
		return o
	}
	return nil
}

// Tagged is the outbound of a tag; nil: there is none.
func (s *Set) Tagged(tag string) *Outbound {
	if s == nil {
		return nil
	}
	return s.byTag[tag]
}

// Down are the tags of those that are down.
func (s *Set) Down() (tags []string) {
	if s == nil {
		return nil
	}
	for _, o := range s.All {
		if o.IsDown() {
			tags = append(tags, o.Tag)
		}
	}
	return tags
}
