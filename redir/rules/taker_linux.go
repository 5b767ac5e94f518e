package rules

import (
	"math"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// takes tells whether a rule that stands before ours may keep diverted packets
// from it: all of them, or those of one network, interface, port or further
// mark. Whose tables it leads to are empty today counts as well, since routes
// come and go faster than anybody looks; that ours stands before it costs the
// other nothing, for ours matches diverted packets alone.
func (p policy) takes(r fibRule) bool {
	switch {
	case r.action == unix.FR_ACT_NOP, p.same(r), r.protocol == RouteProtocol:
		return false
	case r.action == unix.FR_ACT_TO_TBL && !r.l3mdev && r.table == unix.RT_TABLE_LOCAL && !r.invert:
		return false // the gateway's own addresses, which are not diverted
	case r.action == unix.FR_ACT_TO_TBL && !r.l3mdev && r.table == uint32(p.table):
		return false // where it would go anyway
	}
	may, all := p.meets(r)
	if r.invert {
		return !all
	}
	return may
}

// meets tells whether diverted packets may have what the rule's selectors ask
// for, and whether all of them have. Bits outside our mask are anybody's.
func (p policy) meets(r fibRule) (may, all bool) {
	common := r.mask & p.mask
	if (r.mark^p.mark)&common != 0 {
		return false, false
	}
	all = common == r.mask && len(r.more) == 0 && !r.l3mdev
	if r.src.IsValid() && r.src.Bits() > 0 || r.dst.IsValid() && r.dst.Bits() > 0 {
		all = false
	}
	if r.uids != nil { // forwarded packets count as root's (sock_net_uid(net, NULL))
		all = r.uids[0] == 0 && r.uids[1] >= math.MaxUint32-1
		if r.uids[0] != 0 && !p.in.output {
			return false, false
		}
	}
	if r.iif != "" {
		all = false
		if !p.in.arrivesBy(r.iif) {
			return false, false
		}
	}
	if r.oif != "" { // asks which socket was bound to which interface, or for a VRF
		all = false
		if !p.in.output && !isVRF(r.oif) {
			return false, false
		}
	}
	return true, all
}

// arrivesBy tells whether diverted packets may arrive by the interface, or
// belong to it as a VRF.
func (in arrival) arrivesBy(name string) bool {
	if name == "lo" {
		return in.output
	}
	matches := func(pattern string) bool { return covers(onePattern(pattern), name) }
	return len(in.ifaces) == 0 || in.returns || slices.ContainsFunc(in.ifaces, matches) || isVRF(name)
}

func isVRF(name string) bool {
	link, err := netlink.LinkByName(name)
	return err == nil && link.Type() == "vrf"
}

// same tells whether the rule sends our mark, and all of it, to our table,
// whoever made it and wherever it stands.
func (p policy) same(r fibRule) bool {
	narrow := r.invert || r.src.IsValid() || r.dst.IsValid() || r.iif != "" || r.oif != "" || r.uids != nil ||
		r.l3mdev || r.suppress != "" || len(r.more) > 0
	return !narrow && r.action == unix.FR_ACT_TO_TBL && r.table == uint32(p.table) && r.mark == p.mark && r.mask == p.mask
}

// stands tells whether a rule like ours is there with that priority.
func (p policy) stands(all []fibRule, priority uint32) bool { return p.standsAt(all, priority) >= 0 }

func (p policy) standsAt(all []fibRule, priority uint32) int {
	return slices.IndexFunc(all, func(r fibRule) bool { return r.priority == priority && p.same(r) })
}

// before lists the rules that may take diverted packets before a rule of ours
// does that has or would have that index and priority.
func (p policy) before(all []fibRule, index int, priority uint32) []fibRule {
	var takers []fibRule
	for _, r := range all[:index] {
		comesBack := r.action == unix.FR_ACT_GOTO && r.jump <= priority
		if !comesBack && p.takes(r) {
			takers = append(takers, r)
		}
	}
	return takers
}

// place is the priority at which our rule is to stand among a family's rules:
// the one that was asked for or, where somebody has a rule before it that
// takes diverted packets, the one before that. A rule that is added without a
// priority comes before all but the first (fib_default_rule_pref), so nobody
// keeps a place for good. blocked are rules that leave no place before them.
func (p policy) place(all []fibRule) (priority uint32, blocked []fibRule) {
	at := func(priority uint32) []fibRule { // the takers, were ours there
		index := p.standsAt(all, priority)
		if index < 0 { // it would come after those of its priority
			if index = slices.IndexFunc(all, func(r fibRule) bool { return r.priority > priority }); index < 0 {
				index = len(all)
			}
		}
		return p.before(all, index, priority)
	}
	priority = p.priority
	for {
		takers := at(priority)
		if len(takers) == 0 || priority == 0 {
			return priority, takers
		}
		priority = max(min(takers[0].priority, priority), 1) - 1
	}
}
