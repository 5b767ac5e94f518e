package route

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Finding is a rule that no flow can meet.
type Finding struct {
	Rule int    // index into Spec.Rules
	By   int    // the rule that takes all of its flows before; Final: it has none
	Text string // for people: which rule, and why
}

func (f Finding) String() string { return f.Text }

// Unreachable finds rules that no flow can meet. Each that it names is one, but it
// does not find all.
func (t *Table) Unreachable() (all []Finding) {
	if t == nil {
		return nil
	}
	for i := range t.rules {
		name := t.spec.Name(i)
		if why := t.impossible(&t.rules[i], &t.spec.Rules[i].Conditions); why != "" {
			all = append(all, Finding{i, Final, fmt.Sprintf("%s can never match: %s", name, why)})
			continue
		}
		for by := range i {
			if t.takes(by, i) {
				text := fmt.Sprintf("%s can never match: %s takes what it would", name, t.spec.Name(by))
				if t.rules[by].takesAll() {
					text = fmt.Sprintf("%s can never match: %s takes everything", name, t.spec.Name(by))
				}
				all = append(all, Finding{i, by, text})
				break
			}
		}
	}
	return all
}

// takes tells that each flow which meets one rule meets another before.
func (t *Table) takes(by, rule int) bool {
	if reflect.DeepEqual(t.spec.Rules[by].Conditions, t.spec.Rules[rule].Conditions) {
		return true
	}
	return t.rules[by].covers(&t.rules[rule])
}

// covers tells that each flow which meets other meets m. False: perhaps not.
func (m *matcher) covers(other *matcher) bool {
	switch {
	case m.takesAll():
		return true
	case m.invert && other.invert:
		a, b := *m, *other
		a.invert, b.invert = false, false
		return b.covers(&a)
	case m.invert:
		return false
	case m.mode == And:
		return !slices.ContainsFunc(m.rules, func(part matcher) bool { return !part.covers(other) })
	case !other.invert && other.mode == And:
		return slices.ContainsFunc(other.rules, func(part matcher) bool { return m.covers(&part) })
	case !other.invert && other.mode == Or:
		return !slices.ContainsFunc(other.rules, func(part matcher) bool { return !m.covers(&part) })
	case m.mode == Or:
		return slices.ContainsFunc(m.rules, func(part matcher) bool { return part.covers(other) })
	}
	mine, known := m.shapes()
	others, comparable := other.shapes()
	if !known || !comparable || len(others) == 0 {
		return false
	}
	for i := range others {
		if !slices.ContainsFunc(mine, func(s shape) bool { return s.covers(&others[i]) }) {
			return false
		}
	}
	return true
}

// takesAll tells that there is nothing that is asked.
func (m *matcher) takesAll() bool {
	if m.invert || m.mode != NotLogical || m.sets != nil {
		return false
	}
	return reflect.DeepEqual(m.shape(), shape{})
}

// impossible says why no flow can meet a rule; "": perhaps some can.
func (t *Table) impossible(m *matcher, c *Conditions) string {
	if m.invert {
		rest := *m
		if rest.invert = false; rest.takesAll() {
			return "it is the inverse of a rule without conditions"
		}
		return ""
	}
	switch m.mode {
	case And:
		for i := range m.rules {
			if why := t.impossible(&m.rules[i], &c.Rules[i]); why != "" {
				return fmt.Sprintf("rules[%d]: %s", i, why)
			}
		}
		return ""
	case Or:
		for i := range m.rules {
			if t.impossible(&m.rules[i], &c.Rules[i]) == "" {
				return ""
			}
		}
		return "none of its rules can"
	}
	if why := t.noInbound(m); why != "" {
		return why
	}
	switch {
	case m.week != nil && *m.week == week{}:
		return "time: there is no such time"
	case m.sets != nil && !m.hasDest && !slices.ContainsFunc(m.sets, func(set []matcher) bool {
		return slices.ContainsFunc(set, func(m matcher) bool { return !m.hasDest || m.prefixes.Len()+m.names.Len() > 0 })
	}):
		return fmt.Sprintf("rule_set %s: empty", strings.Join(c.Sets, ", "))
	}
	return ""
}

// noInbound says why no inbound can bring flows of a rule.
func (t *Table) noInbound(m *matcher) string {
	named, carried := len(t.known.Inbounds) == 0, len(t.known.Inbounds) == 0
	for _, in := range t.known.Inbounds {
		if m.inbounds == nil || slices.Contains(m.inbounds, in.Tag) {
			named = true
			carried = carried || m.networks == 0 || in.Networks&m.networks != 0
		}
	}
	switch {
	case !named:
		return fmt.Sprintf("inbound: there is none with the tag %s", strings.Join(m.inbounds, ", "))
	case !carried && m.inbounds == nil:
		return fmt.Sprintf("network: no inbound carries %s", m.networks)
	case !carried:
		return fmt.Sprintf("network: inbound %s does not carry %s", strings.Join(m.inbounds, ", "), m.networks)
	}
	return ""
}
