package rules

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// families lists the address families that can be routed here: IPv6 may be
// compiled out or disabled, and then carries no traffic to divert.
func families() []int {
	disabled, err := os.ReadFile("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
	if err != nil || strings.TrimSpace(string(disabled)) != "0" {
		return []int{unix.AF_INET}
	}
	return []int{unix.AF_INET, unix.AF_INET6}
}

func familyName(family int) string {
	if family == unix.AF_INET6 {
		return "ip -6"
	}
	return "ip"
}

// ensure adds what is missing of the policy and returns what undoes that, in
// the order in which it was done.
func (p policy) ensure() (undo []func() error, err error) {
	for _, family := range families() {
		route, present, err := p.findRoute(family)
		if err != nil {
			return undo, err
		}
		if !present {
			if err := netlink.RouteAdd(route); err != nil {
				return undo, fmt.Errorf("%s route add local default dev lo table %d: %w", familyName(family), p.table, explainRoute(err))
			}
			undo = append(undo, func() error { return netlink.RouteDel(route) })
		}
		present, err = p.hasRule(family)
		if err != nil {
			return undo, err
		}
		if !present {
			rule := p.rule(family)
			if err := netlink.RuleAdd(rule); err != nil {
				return undo, fmt.Errorf("%s rule add fwmark %#x/%#x lookup %d: %w", familyName(family), p.mark, p.mask, p.table, explain(err))
			}
			undo = append(undo, func() error { return netlink.RuleDel(rule) })
		}
	}
	return undo, nil
}

// findRoute tells whether the local route is there; if not, route is what to
// add. A routing table that serves others is an error: a default route in it
// would take their traffic away.
func (p policy) findRoute(family int) (route *netlink.Route, present bool, err error) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return nil, false, fmt.Errorf("interface lo: %w", err)
	}
	routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: p.table}, netlink.RT_FILTER_TABLE)
	if err != nil && !errors.Is(err, unix.ENOENT) { // no such table yet
		return nil, false, fmt.Errorf("%s route show table %d: %w", familyName(family), p.table, err)
	}
	for _, r := range routes {
		if r.Type != unix.RTN_LOCAL || !isDefault(r.Dst) || r.LinkIndex != lo.Attrs().Index {
			return nil, false, fmt.Errorf("routing table %d: already holds a route of others (%s route show table %d): choose another number with --table",
				p.table, familyName(family), p.table)
		}
		present = true
	}
	bits := 32
	if family == unix.AF_INET6 {
		bits = 128
	}
	return &netlink.Route{
		Family: family, LinkIndex: lo.Attrs().Index, Table: p.table, Type: unix.RTN_LOCAL,
		Scope: netlink.SCOPE_HOST, Protocol: RouteProtocol,
		Dst: &net.IPNet{IP: make(net.IP, bits/8), Mask: net.CIDRMask(0, bits)},
	}, present, nil
}

func isDefault(dst *net.IPNet) bool {
	if dst == nil {
		return true
	}
	ones, _ := dst.Mask.Size()
	return ones == 0
}

func (p policy) rule(family int) *netlink.Rule {
	rule := netlink.NewRule()
	rule.Family, rule.Table, rule.Protocol = family, p.table, RouteProtocol
	rule.Mark, rule.Mask = p.mark, &p.mask
	return rule
}

func (p policy) hasRule(family int) (bool, error) {
	all, err := netlink.RuleList(family)
	if err != nil {
		return false, fmt.Errorf("%s rule: %w", familyName(family), err)
	}
	for _, r := range all {
		if p.matches(r) {
			return true, nil
		}
	}
	return false, nil
}

// matches tells whether the rule sends our mark, and all of it, to our table.
func (p policy) matches(r netlink.Rule) bool {
	narrow := r.Src != nil || r.Dst != nil || r.IifName != "" || r.OifName != "" ||
		r.Invert || r.Tos != 0 || r.IPProto != 0 || r.Dport != nil || r.Sport != nil || r.UIDRange != nil
	return !narrow && r.Table == p.table && r.Mark == p.mark && r.Mask != nil && *r.Mask == p.mask
}

// absent lists what is missing, as the commands that would add it.
func (p policy) absent() ([]string, error) {
	var lines []string
	for _, family := range families() {
		_, present, err := p.findRoute(family)
		if err != nil {
			return nil, err
		}
		if !present {
			lines = append(lines, fmt.Sprintf("%s route add local default dev lo table %d", familyName(family), p.table))
		}
		if present, err = p.hasRule(family); err != nil {
			return nil, err
		}
		if !present {
			lines = append(lines, fmt.Sprintf("%s rule add fwmark %#x/%#x lookup %d", familyName(family), p.mark, p.mask, p.table))
		}
	}
	return lines, nil
}

// strayPolicies describes the rules and routes with our protocol number.
func strayPolicies() ([]string, error) {
	var lines []string
	for _, family := range families() {
		all, err := netlink.RuleList(family)
		if err != nil {
			return nil, fmt.Errorf("%s rule: %w", familyName(family), err)
		}
		for _, r := range all {
			if r.Protocol == RouteProtocol {
				lines = append(lines, fmt.Sprintf("%s rule %d lookup %d", familyName(family), r.Priority, r.Table))
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

// removePolicies removes the rules and routes that bear our protocol number,
// whichever sluice put them there, but those of keep.
func removePolicies(keep *policy) error {
	var errs error
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		all, err := netlink.RuleList(family)
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
			errs = errors.Join(errs, fmt.Errorf("%s rule: %w", familyName(family), err))
		}
		for _, r := range all {
			if r.Protocol == RouteProtocol && (keep == nil || !keep.matches(r)) {
				errs = errors.Join(errs, gone(netlink.RuleDel(&r)))
			}
		}
		routes, err := ourRoutes(family)
		errs = errors.Join(errs, err)
		for _, r := range routes {
			if keep == nil || r.Table != keep.table {
				errs = errors.Join(errs, gone(netlink.RouteDel(&r)))
			}
		}
	}
	return errs
}

// ourRoutes lists the local routes with our protocol number, of all tables.
func ourRoutes(family int) ([]netlink.Route, error) {
	filter := &netlink.Route{Table: unix.RT_TABLE_UNSPEC, Protocol: RouteProtocol, Type: unix.RTN_LOCAL}
	routes, err := netlink.RouteListFiltered(family, filter,
		netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL|netlink.RT_FILTER_TYPE)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s route show table all: %w", familyName(family), err)
	}
	return routes, nil
}

// gone passes over what somebody else has removed already.
func gone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

func explainRoute(err error) error {
	if errors.Is(err, unix.ENETDOWN) {
		return fmt.Errorf("%w: interface lo is down: ip link set lo up", err)
	}
	return explain(err)
}
