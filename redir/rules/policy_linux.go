package rules

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
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

// standing is what one family holds of a policy.
type standing struct {
	family int
	rules  []fibRule
	routes []fibRoute // of the policy's table
}

func (p policy) look(family int) (standing, error) {
	all, err := readRules(family)
	if err != nil {
		return standing{}, err
	}
	routes, err := readRoutes(family, p.table, 0)
	return standing{family, all, routes}, err
}

// lookAll looks at each family that is routed here.
func (p policy) lookAll() ([]standing, error) {
	var all []standing
	for _, family := range families() {
		s, err := p.look(family)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// hasRoute tells whether the local route is there.
func (s standing) hasRoute() bool { return slices.ContainsFunc(s.routes, fibRoute.everythingLocal) }

// others lists what others have in the policy's table or lead there, whose
// traffic a local default route would take away, or who take ours. A rule that
// asks for a mark alone leads there to be delivered here, as ours does.
func (p policy) others(s standing) []string {
	var users []string
	for _, r := range s.routes {
		if !r.everythingLocal() {
			users = append(users, r.String())
		}
	}
	for _, r := range s.rules {
		byMark := r.mask != 0 && policy{mark: r.mark, mask: r.mask, table: p.table}.same(r)
		if r.action == unix.FR_ACT_TO_TBL && !r.l3mdev && r.table == uint32(p.table) && r.protocol != RouteProtocol && !byMark {
			users = append(users, r.String())
		}
	}
	return users
}

// shared tells whether others use the policy's table.
func (p policy) shared() (bool, error) {
	all, err := p.lookAll()
	return slices.ContainsFunc(all, func(s standing) bool { return len(p.others(s)) > 0 }), err
}

// tablesTried bounds the search for a table that nobody uses.
const tablesTried = 100

// settled is the policy with a table that nobody else uses: its own or, where
// others have come to use that, the next free one. They keep theirs.
func (p policy) settled() (policy, error) {
	wanted := p.table
	for range tablesTried {
		if shared, err := p.shared(); err != nil || !shared {
			return p, err
		}
		if p.table++; p.table >= unix.RT_TABLE_DEFAULT && p.table <= unix.RT_TABLE_LOCAL {
			p.table = unix.RT_TABLE_LOCAL + 1
		}
	}
	return p, fmt.Errorf("routing tables %d to %d are used by others (ip route show table %[1]d): choose another number with --table", wanted, p.table-1)
}

// ensure adds what is missing of the policy and returns what undoes that, in
// the order in which it was done.
func (p policy) ensure() (undo []func() error, err error) {
	all, err := p.lookAll()
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if !s.hasRoute() {
			route := p.route(s.family)
			if err := netlink.RouteAdd(route); err != nil {
				return undo, fmt.Errorf("%s: %w", p.routeCommand(s.family), explainRoute(err))
			}
			undo = append(undo, func() error { return netlink.RouteDel(route) })
		}
		steps, err := p.ensureRules(s)
		undo = append(undo, steps...)
		if err != nil {
			return undo, err
		}
	}
	return undo, nil
}

func (p policy) ensureRules(s standing) (undo []func() error, err error) {
	add := func(rule *netlink.Rule, command string) error {
		if err := netlink.RuleAdd(rule); err != nil {
			return fmt.Errorf("%s: %w", command, explain(err))
		}
		undo = append(undo, func() error { return netlink.RuleDel(rule) })
		return nil
	}
	priority, _ := p.place(s.rules)
	for _, b := range p.besides(familyName(s.family)) {
		if err == nil && !b.stands(s.rules, priority) {
			err = add(b.rule(p, s.family, priority), b.command(priority))
		}
	}
	if err == nil && !p.stands(s.rules, priority) {
		err = add(p.rule(s.family, priority), p.ruleCommand(s.family, priority))
	}
	return undo, err
}

func (p policy) route(family int) *netlink.Route {
	bits := 32
	if family == unix.AF_INET6 {
		bits = 128
	}
	return &netlink.Route{
		Family: family, LinkIndex: loopback, Table: p.table, Type: unix.RTN_LOCAL,
		Scope: netlink.SCOPE_HOST, Protocol: RouteProtocol,
		Dst: &net.IPNet{IP: make(net.IP, bits/8), Mask: net.CIDRMask(0, bits)},
	}
}

func (p policy) rule(family int, priority uint32) *netlink.Rule {
	rule := netlink.NewRule()
	rule.Family, rule.Table, rule.Protocol, rule.Priority = family, p.table, RouteProtocol, int(priority)
	rule.Mark, rule.Mask = p.mark, &p.mask
	return rule
}

func (p policy) routeCommand(family int) string {
	return p.commands(familyName(family), p.priority)[1]
}

func (p policy) ruleCommand(family int, priority uint32) string {
	return p.commands(familyName(family), priority)[0]
}

// removePolicies removes the rules and routes that bear our protocol number,
// whichever sluice put them there, but those of keep in their places.
func removePolicies(keep *policy) error {
	var errs error
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		all, err := readRules(family)
		if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EOPNOTSUPP) {
			errs = errors.Join(errs, err)
		}
		var place uint32
		if keep != nil {
			place, _ = keep.place(all)
		}
		for _, r := range all {
			kept := keep != nil && (keep.same(r) && r.priority == place ||
				slices.ContainsFunc(keep.besides(familyName(family)), func(b beside) bool { return b.is(r) && r.priority == b.at(place) }))
			if r.protocol == RouteProtocol && !kept {
				errs = errors.Join(errs, gone(netlink.RuleDel(ruleToDelete(r))))
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

// ruleToDelete names a rule that was read to the kernel.
func ruleToDelete(r fibRule) *netlink.Rule {
	rule := netlink.NewRule()
	rule.Family, rule.Priority, rule.Protocol = r.family, int(r.priority), r.protocol
	rule.Table, rule.Mark, rule.IifName = int(r.table), r.mark, r.iif
	if r.mask != 0 {
		rule.Mask = &r.mask
	}
	if r.src.IsValid() { // the kernel deletes the first that has all that is named
		rule.Src = &net.IPNet{IP: r.src.Addr().AsSlice(), Mask: net.CIDRMask(r.src.Bits(), r.src.Addr().BitLen())}
	}
	return rule
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
