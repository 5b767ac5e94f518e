package rules

import (
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// is tells whether the rule is this one, wherever it stands.
func (b beside) is(r fibRule) bool {
	text := b.selectors()
	if !b.src.IsValid() {
		text = "from all " + text
	}
	return r.body() == text
}

// stands tells whether it stands where it belongs, if ours has that priority.
func (b beside) stands(all []fibRule, priority uint32) bool {
	return slices.ContainsFunc(all, func(r fibRule) bool { return b.is(r) && r.priority == b.at(priority) })
}

// before tells whether it stands before the first rule like ours of the policy.
func (b beside) before(all []fibRule, p policy) bool {
	index := slices.IndexFunc(all, b.is)
	ours := slices.IndexFunc(all, p.same)
	return index >= 0 && (ours < 0 || index < ours)
}

func (b beside) rule(p policy, family int, priority uint32) *netlink.Rule {
	rule := p.rule(family, b.at(priority))
	rule.IifName, rule.Mark, rule.Mask, rule.Table = "lo", b.mark, nil, b.table
	if b.mask != 0 {
		rule.Mask = &b.mask
	}
	if b.table == 0 {
		rule.Table = unix.RT_TABLE_MAIN
	}
	if b.src.IsValid() {
		rule.Src = &net.IPNet{IP: b.src.Addr().AsSlice(), Mask: net.CIDRMask(b.src.Bits(), b.src.Addr().BitLen())}
		rule.Sport = netlink.NewRulePortRange(1, everyPort)
	}
	return rule
}
