package rules

import (
	"slices"
	"strings"
)

// anyTail ends a pattern of interface names; iptables writes + for it, and
// so may an operator.
const anyTail = "*"

func isPattern(name string) bool { return strings.HasSuffix(name, anyTail) }

// covers tells whether the name or pattern stands for the other one too.
func covers(name, other string) bool {
	if stem, ok := strings.CutSuffix(name, anyTail); ok {
		return strings.HasPrefix(strings.TrimSuffix(other, anyTail), stem)
	}
	return name == other
}

// onePattern writes a pattern's end in one way.
func onePattern(name string) string {
	if stem, ok := strings.CutSuffix(name, "+"); ok {
		return stem + anyTail
	}
	return name
}

// interfaces orders names, and leaves out those that another covers: the
// kernel refuses overlapping intervals.
func interfaces(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = onePattern(name)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return slices.ContainsFunc(all, func(other string) bool { return other != name && covers(other, name) })
	})
}

// ingress leaves out interfaces that are not named. Through lo comes nothing
// to divert but what the output chain sent round.
func ingress(s Spec) [][]term {
	var rules [][]term
	switch {
	case s.Output && s.Via == TProxy:
		rules = append(rules, []term{ifaceIs{"lo", false}, jump(chainRound)})
	case len(s.Ingress()) == 0:
		rules = append(rules, []term{ifaceIs{"lo", false}, goBack})
	}
	if len(s.Ingress()) > 0 {
		rules = append(rules, []term{ifaceNotIn{setIfaces}, goBack})
	}
	return rules
}

// between leaves alone what goes from one diverted interface to another, which
// the gateway's forward chain may forbid: sluice would carry it past there.
// What leaves by the interface that it came in at is diverted: the gateway may
// have one leg only. The packet's mark is left out of the question, since a
// mark by which the route is another does not lead sluice's own packets.
func between(s Spec) [][]term {
	if s.BetweenIfaces {
		return nil
	}
	var rules [][]term
	ifaces := s.Ingress()
	for i, name := range ifaces {
		if others := slices.Delete(slices.Clone(ifaces), i, i+1); len(others) > 0 {
			rules = append(rules, []term{ifaceIs{name, false}, routeBy{names: others}, goBack})
		}
		if isPattern(name) {
			rules = append(rules, []term{ifaceIs{name, false}, routeBy{names: []string{name}}, routeElsewhere{}, goBack})
		}
	}
	return rules
}

// leavingBy leaves alone what would leave by other interfaces than those
// named; what the output chain sent round has been asked there.
func leavingBy(s Spec) [][]term {
	if len(s.Oifaces) == 0 {
		return nil
	}
	var rule []term
	if s.Output && s.Via == TProxy {
		rule = append(rule, ifaceIs{"lo", true})
	}
	return [][]term{append(rule, routeBy{names: s.Oifaces, mark: true, not: true}, goBack)}
}
