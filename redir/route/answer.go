package route

// answer is what conditions say of a flow. Ordered as they are, the least of
// several is their conjunction, the largest their disjunction.
type answer int8

const (
	absent answer = iota - 1 // nothing is asked
	no
	unknown // that depends on the flow's name
	yes
)

func (a answer) String() string { return [...]string{"absent", "no", "unknown", "yes"}[a+1] }

// not leaves what is unknown so.
func (a answer) not() answer { return yes - a }

// of is yes or no.
func of(met bool) answer {
	if met {
		return yes
	}
	return no
}

// groups are the answers of those groups of conditions that rule sets add to.
type groups struct{ dest, port, source, sourcePort answer }

// or joins conditions with those that are merged into them.
func (g groups) or(h groups) groups {
	return groups{max(g.dest, h.dest), max(g.port, h.port), max(g.source, h.source), max(g.sourcePort, h.sourcePort)}
}

// and is what all of them say.
func (g groups) and() answer {
	all := yes
	for _, a := range [...]answer{g.dest, g.port, g.source, g.sourcePort} {
		if a != absent {
			all = min(all, a)
		}
	}
	return all
}
