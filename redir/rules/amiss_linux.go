package rules

import (
	"fmt"
	"slices"
	"strings"
)

// amiss compares the policy with what is there. Faults are what of others
// stands in the place. The error names what cannot be put right from here, and
// the remedy.
func (p policy) amiss() (r Repair, faults []Fault, err error) {
	all, err := p.lookAll()
	if err != nil {
		return r, nil, err
	}
	for _, s := range all {
		for _, user := range p.others(s) {
			r.By = append(r.By, user)
			faults = append(faults, Fault{familyName(s.family), "uses our routing table: " + user, p.install})
		}
	}
	if len(r.By) > 0 {
		r.Missing = []string{fmt.Sprintf("a routing table of its own: others use %d, and the next free one serves", p.table)}
		return r, faults, nil
	}
	for _, s := range all {
		if !s.hasRoute() {
			r.Missing = append(r.Missing, p.routeCommand(s.family))
		}
		takers, present := p.overtaken(s.rules)
		priority, blocked := p.place(s.rules)
		command := p.ruleCommand(s.family, priority)
		if (!present || len(takers) > 0) && !p.stands(s.rules, priority) {
			r.Missing = append(r.Missing, command)
		}
		for _, b := range p.besides(familyName(s.family)) {
			if !b.before(s.rules, p) && !b.stands(s.rules, priority) {
				r.Missing = append(r.Missing, b.command(priority))
			}
		}
		if len(blocked) > 0 {
			blockedBy := &blockedError{blocked[0]}
			command, err = blockedBy.remedy(), blockedBy
		}
		for _, taker := range takers {
			r.By = append(r.By, taker.String())
			faults = append(faults, Fault{familyName(s.family), "takes diverted packets, or some of them: " + taker.String(), command})
		}
	}
	return r, faults, err
}

// overtaken lists the rules that may take diverted packets before the first
// rule that is like ours, whoever made that, does.
func (p policy) overtaken(all []fibRule) (takers []fibRule, present bool) {
	index := slices.IndexFunc(all, p.same)
	if index < 0 {
		return nil, false
	}
	return p.before(all, index, all[index].priority), true
}

// places tells where our rules stand, if elsewhere than they should.
func (p policy) places() string {
	all, _ := p.lookAll()
	var now []string
	for _, s := range all {
		if index := slices.IndexFunc(s.rules, p.same); index >= 0 && s.rules[index].priority != p.priority {
			now = append(now, fmt.Sprintf("%s: now %d", familyName(s.family), s.rules[index].priority))
		}
	}
	if len(now) == 0 {
		return ""
	}
	return " (" + strings.Join(now, ", ") + ")"
}

// displaced tells whether a rule of ours stands elsewhere than it would if it
// were added now: the ones that it gave way to are gone, say.
func (p policy) displaced() (bool, error) {
	all, err := p.lookAll()
	if err != nil {
		return false, err
	}
	for _, s := range all {
		priority, _ := p.place(s.rules)
		if !p.stands(s.rules, priority) {
			return true, nil
		}
		for _, b := range p.besides(familyName(s.family)) {
			if !b.stands(s.rules, priority) {
				return true, nil
			}
		}
	}
	return false, nil
}

// blockedError is about a rule that leaves no place before it.
type blockedError struct{ taker fibRule }

func (e *blockedError) Error() string {
	return fmt.Sprintf("%s takes diverted packets, and nothing can stand before priority 0: give it a later one: %s", e.taker, e.remedy())
}

func (e *blockedError) remedy() string {
	ip, body := familyName(e.taker.family), e.taker.body()
	return fmt.Sprintf("%s rule add %s priority %d; %[1]s rule del %[2]s priority 0", ip, body, DefaultRulePriority+1)
}

// strayPolicies describes the rules and routes with our protocol number.
func strayPolicies() ([]string, error) {
	var lines []string
	for _, family := range families() {
		all, err := readRules(family)
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			if r.protocol == RouteProtocol {
				lines = append(lines, fmt.Sprintf("%s rule %d lookup %d", familyName(family), r.priority, r.table))
			}
		}
		routes, err := ourRoutes(family)
		if err != nil {
			return nil, err
		}
		for _, r := range routes {
			lines = append(lines, fmt.Sprintf("%s route local default table %d", familyName(family), r.Table))
		}
	}
	return lines, nil
}
