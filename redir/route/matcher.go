package route

import (
	"net/netip"
	"slices"

	"sluice/redir/domain"
	"sluice/redir/prefix"
	"sluice/redir/ruleset"
)

// matcher is Conditions made ready. It is never changed.
type matcher struct {
	hasDest     bool
	prefixes    *prefix.Set
	names       *domain.Set   // nil: no condition on names
	ports       ruleset.Ports // nil: any
	sources     *prefix.Set   // nil: any
	sourcePorts ruleset.Ports

	networks Network // 0: any
	inbounds []string
	macs     []MAC
	week     *week // nil: always

	sets [][]matcher // of each rule set, any of which is merged into the rest; nil: none

	mode  Mode
	rules []matcher

	invert bool
}

// surroundings are what conditions look at beside the flow.
type surroundings struct {
	clock      *clock
	neighbours Neighbours // nil: no address is known
}

// answer does not allocate.
func (m *matcher) answer(f *Flow, s *surroundings) answer {
	a := m.plain(f, s)
	if m.mode != NotLogical {
		a = m.logical(f, s)
	}
	if m.invert {
		return a.not()
	}
	return a
}

func (m *matcher) logical(f *Flow, s *surroundings) answer {
	if m.mode == And {
		all := yes
		for i := 0; i < len(m.rules) && all != no; i++ {
			all = min(all, m.rules[i].answer(f, s))
		}
		return all
	}
	some := no
	for i := 0; i < len(m.rules) && some != yes; i++ {
		some = max(some, m.rules[i].answer(f, s))
	}
	return some
}

// plain is the answer of conditions that are not logical, before they are inverted.
func (m *matcher) plain(f *Flow, s *surroundings) answer {
	if !m.others(f, s) {
		return no
	}
	if m.sets == nil {
		return m.own(f)
	}
	g, some := m.groups(f), no
	for _, set := range m.sets {
		for i := range set {
			if some = max(some, set[i].merged(g, f, s)); some == yes {
				return yes
			}
		}
	}
	return some
}

// own is the answer of the groups, where no rule set adds to them: the cheap ones
// first.
func (m *matcher) own(f *Flow) answer {
	switch {
	case m.port(f) == no, m.sourcePort(f) == no, m.source(f) == no:
		return no
	case !m.hasDest:
		return yes
	}
	return m.dest(f)
}

// merged is the answer of conditions in a rule set, merged into the groups of those
// which name it.
func (m *matcher) merged(g groups, f *Flow, s *surroundings) answer {
	switch {
	case m.mode != NotLogical || m.invert:
		return min(m.answer(f, s), g.and())
	case !m.others(f, s):
		return no
	}
	return g.or(m.groups(f)).and()
}

// others tells whether the conditions hold to which rule sets add nothing.
func (m *matcher) others(f *Flow, s *surroundings) bool {
	switch {
	case m.networks != 0 && m.networks&f.Network == 0,
		m.inbounds != nil && !slices.Contains(m.inbounds, f.Inbound),
		m.week != nil && !m.week.contain(s.clock.minuteOfWeek()),
		m.macs != nil && !m.hasMAC(f.Client.Addr(), s.neighbours):
		return false
	}
	return true
}

func (m *matcher) hasMAC(client netip.Addr, n Neighbours) bool {
	if n == nil {
		return false
	}
	mac, ok := n.MAC(client.WithZone(""))
	return ok && slices.Contains(m.macs, mac)
}

func (m *matcher) groups(f *Flow) groups {
	return groups{m.dest(f), m.port(f), m.source(f), m.sourcePort(f)}
}

func (m *matcher) dest(f *Flow) answer {
	switch {
	case !m.hasDest:
		return absent
	case m.prefixes.Contains(f.Dest.Addr()):
		return yes
	case m.names == nil:
		return no
	case f.Name != "":
		return of(m.names.Match(f.Name))
	case f.Named:
		return no
	}
	return unknown
}

func (m *matcher) port(f *Flow) answer {
	if m.ports == nil {
		return absent
	}
	return of(m.ports.Contain(f.Dest.Port()))
}

func (m *matcher) source(f *Flow) answer {
	if m.sources == nil {
		return absent
	}
	return of(m.sources.Contains(f.Client.Addr()))
}

func (m *matcher) sourcePort(f *Flow) answer {
	if m.sourcePorts == nil {
		return absent
	}
	return of(m.sourcePorts.Contain(f.Client.Port()))
}

// needsName reports whether an answer about flows of a network may depend on their
// name.
func (m *matcher) needsName(n Network) bool {
	if m.networks != 0 && m.networks&n == 0 {
		return false
	}
	isNamed := func(m matcher) bool { return m.needsName(n) }
	return m.names != nil || slices.ContainsFunc(m.rules, isNamed) ||
		slices.ContainsFunc(m.sets, func(set []matcher) bool { return slices.ContainsFunc(set, isNamed) })
}
