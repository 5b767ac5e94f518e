package route

import (
	"fmt"
	"slices"
	"time"
)

// Table is a Spec made ready. It never changes; any thread may ask. A nil one has no
// rules.
type Table struct {
	surroundings
	spec    Spec
	sets    *Sets
	known   Known
	rules   []matcher
	effects []int // of each rule, and of Final behind them: alike where flows leave alike
}

// Known is what rules may name and look at.
type Known struct {
	Outbounds  []string // tags, those of Final's choice first
	Inbounds   []Inbound
	Neighbours Neighbours // nil: the MAC address of no client is known
}

// Inbound is by what flows come.
type Inbound struct {
	Tag      string
	Networks Network
}

// New makes a table of a spec and of its rule sets, which were read. Errors name the
// key.
func New(s Spec, sets *Sets, known Known) (*Table, error) {
	final, err := known.outbound("route.final", s.Final)
	if err != nil || len(s.Rules) == 0 {
		return nil, err
	}
	t := &Table{spec: s, sets: sets, known: known, surroundings: surroundings{clock: &clock{now: time.Now}, neighbours: known.Neighbours}}
	effects := map[effect]int{}
	number := func(e effect) int {
		if _, ok := effects[e]; !ok {
			effects[e] = len(effects)
		}
		return effects[e]
	}
	for i := range s.Rules {
		r, path := &s.Rules[i], s.Name(i)
		m, err := r.compile(path, sets)
		if err != nil {
			return nil, err
		}
		e := effect{final, r.Port}
		if r.Outbound != "" {
			if e.outbound, err = known.outbound(path+".outbound", r.Outbound); err != nil {
				return nil, err
			}
		}
		t.rules = append(t.rules, m)
		t.effects = append(t.effects, number(e))
	}
	t.effects = append(t.effects, number(effect{outbound: final}))
	return t, nil
}

// effect is what a rule does to a flow.
type effect struct {
	outbound string
	port     uint16
}

// outbound is the tag that a key names, or the first one.
func (k *Known) outbound(key, tag string) (string, error) {
	switch {
	case tag == "" && len(k.Outbounds) > 0:
		return k.Outbounds[0], nil
	case tag == "" || tag == Reset || tag == Drop || slices.Contains(k.Outbounds, tag):
		return tag, nil
	}
	return "", fmt.Errorf("%s: there is no outbound %q", key, tag)
}

// Decide finds the rule that a flow meets: the first. It takes no lock, and no
// memory. A rule that may be met or not, as the flow's name will tell, keeps it from
// being found, unless the flow leaves alike either way.
func (t *Table) Decide(f *Flow) Verdict {
	if t == nil {
		return Verdict{Rule: Final}
	}
	const none = -1
	pending := none // the effect of rules that depend on the name
	for i := range t.rules {
		a := t.rules[i].answer(f, &t.surroundings)
		if a == no {
			continue
		}
		if pending != none && pending != t.effects[i] {
			return Verdict{NeedsName: true}
		}
		if a == yes {
			return Verdict{Rule: i}
		}
		pending = t.effects[i]
	}
	if pending != none && pending != t.effects[len(t.rules)] {
		return Verdict{NeedsName: true}
	}
	return Verdict{Rule: Final}
}

// NeedsNames reports whether the way of some flow of a network depends on its name.
func (t *Table) NeedsNames(n Network) bool {
	return t != nil && slices.ContainsFunc(t.rules, func(m matcher) bool { return m.needsName(n) })
}

// NeedsNeighbours reports whether some rule is for clients of a MAC address.
func (s *Spec) NeedsNeighbours() bool {
	return slices.ContainsFunc(s.Rules, func(r Rule) bool { return r.needsNeighbours() })
}

func (c *Conditions) needsNeighbours() bool {
	return len(c.MACs) > 0 || slices.ContainsFunc(c.Rules, func(c Conditions) bool { return c.needsNeighbours() })
}
