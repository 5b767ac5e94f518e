package rules

import (
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// needsSource tells whether the family has the source rule.
func (p policy) needsSource(family int) bool { return p.source && family == unix.AF_INET }

// isSource tells whether the rule is the source rule, wherever it stands.
func (p policy) isSource(r fibRule) bool {
	if r.iif != "lo" {
		return false
	}
	main := p
	main.table, r.iif = unix.RT_TABLE_MAIN, ""
	return main.same(r)
}

// sourceStands tells whether the source rule stands where it belongs, if ours
// has that priority.
func (p policy) sourceStands(all []fibRule, priority uint32) bool {
	return slices.ContainsFunc(all, func(r fibRule) bool { return p.isSource(r) && r.priority == sourcePriority(priority) })
}

// sourceBefore tells whether it stands before the first rule like ours.
func (p policy) sourceBefore(all []fibRule) bool {
	index := slices.IndexFunc(all, p.isSource)
	ours := slices.IndexFunc(all, p.same)
	return index >= 0 && (ours < 0 || index < ours)
}

func (p policy) sourceRule(priority uint32) *netlink.Rule {
	rule := p.rule(unix.AF_INET, sourcePriority(priority))
	rule.IifName, rule.Table = "lo", unix.RT_TABLE_MAIN
	return rule
}
