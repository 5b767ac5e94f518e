package route

import (
	"fmt"
	"strings"
)

// Explanation is a Verdict and how it came about.
type Explanation struct {
	Verdict
	Steps []Step // the rules that were asked, in order
}

// Step is what one rule says of a flow.
type Step struct {
	Rule   int
	Name   string // Spec.Name
	Answer string // yes, no or unknown
	Why    string // the conditions that decide, with what of them is met
}

// Explain decides as Decide does, and says why.
func (t *Table) Explain(f *Flow) Explanation {
	e := Explanation{Verdict: t.Decide(f)}
	if t == nil {
		return e
	}
	x := explainer{flow: f, surroundings: &t.surroundings}
	for i := range t.rules {
		a := t.rules[i].answer(f, &t.surroundings)
		e.Steps = append(e.Steps, Step{i, t.spec.Name(i), a.String(), x.why(&t.rules[i], &t.spec.Rules[i].Conditions)})
		if a == yes {
			break
		}
	}
	return e
}

// explainer says why conditions answer as they do about a flow.
type explainer struct {
	flow *Flow
	*surroundings
}

// why is about conditions, and what they were made into.
func (x *explainer) why(m *matcher, c *Conditions) string {
	upright := *m
	upright.invert = false
	a := upright.answer(x.flow, x.surroundings)
	text := "it asks for nothing"
	switch {
	case m.mode != NotLogical:
		text = x.logical(m, c, a)
	case !upright.takesAll():
		text = x.plain(m, c, a)
	}
	if m.invert {
		return "inverted: " + text
	}
	return text
}

// logical names the parts that make the answer: one, where one is enough.
func (x *explainer) logical(m *matcher, c *Conditions, a answer) string {
	var parts []string
	for i := range m.rules {
		if m.rules[i].answer(x.flow, x.surroundings) != a {
			continue
		}
		parts = append(parts, fmt.Sprintf("rules[%d]: %s", i, x.why(&m.rules[i], &c.Rules[i])))
		if a == no && m.mode == And || a == yes && m.mode == Or {
			break
		}
	}
	return strings.Join(parts, "; ")
}

// plain is about conditions that are not logical.
func (x *explainer) plain(m *matcher, c *Conditions, a answer) string {
	facets := x.others(m)
	if m.sets == nil || a == no && !m.others(x.flow, x.surroundings) {
		return join(append(facets, x.groups(m, c, &matcher{}, "")...), a)
	}
	g := m.groups(x.flow)
	for i, set := range m.sets {
		for j := range set {
			if set[j].merged(g, x.flow, x.surroundings) == a && a != no {
				return join(append(facets, x.groups(m, c, &set[j], c.Sets[i])...), a)
			}
		}
	}
	if len(m.sets) == 1 && len(m.sets[0]) == 1 {
		return join(append(facets, x.groups(m, c, &m.sets[0][0], c.Sets[0])...), a)
	}
	return fmt.Sprintf("rule_set: %s is not in %s", x.destination(), strings.Join(c.Sets, ", "))
}

// facet is what one group of conditions says.
type facet struct {
	answer answer
	text   string
}

// join is the facets that make the answer: the first that says no, or all that are
// met, or all that are unknown.
func join(facets []facet, a answer) string {
	var texts []string
	for _, f := range facets {
		if f.answer == a {
			texts = append(texts, f.text)
		}
		if f.answer == no && a == no {
			break
		}
	}
	return strings.Join(texts, ", ")
}

// others are the facets to which rule sets add nothing.
func (x *explainer) others(m *matcher) (all []facet) {
	f := x.flow
	for _, o := range []struct {
		alone     matcher
		asked     bool
		key, what string
	}{
		{matcher{networks: m.networks}, m.networks != 0, "network", f.Network.String()},
		{matcher{inbounds: m.inbounds}, m.inbounds != nil, "inbound", f.Inbound},
		{matcher{week: m.week}, m.week != nil, "time", "now"},
		{matcher{macs: m.macs}, m.macs != nil, "source_mac_address", x.mac()},
	} {
		if o.asked {
			all = append(all, facetOf(o.key, of(o.alone.others(f, x.surroundings)), o.what))
		}
	}
	return all
}

// facetOf is one of a key, whose value is or is not among what is asked for.
func facetOf(key string, a answer, value string) facet {
	switch a {
	case yes:
		return facet{a, key + " " + value}
	case no:
		return facet{a, key + ": not " + value}
	}
	return facet{a, key + ": the name tells"}
}

// mac is the client's.
func (x *explainer) mac() string {
	if x.neighbours != nil {
		if mac, ok := x.neighbours.MAC(x.flow.Client.Addr()); ok {
			return MAC(mac).String()
		}
	}
	return fmt.Sprintf("known of %v", x.flow.Client.Addr())
}

// destination is what the flow is for.
func (x *explainer) destination() string {
	if x.flow.Name != "" {
		return fmt.Sprintf("%v (%s)", x.flow.Dest.Addr(), x.flow.Name)
	}
	return x.flow.Dest.Addr().String()
}
