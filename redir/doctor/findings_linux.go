package doctor

import (
	"fmt"
	"slices"
	"strings"

	"sluice/redir/firewall"
)

// packets are a sort of packets, by the words for it.
type packets struct{ side, protocol, iface, family string }

func packetsOf(protocol byte, v gatewayView) packets {
	p := packets{protocol: "TCP", family: "IPv4"}
	if protocol == protoUDP {
		p.protocol = "UDP"
	}
	if v.ipv6 {
		p.family = "IPv6"
	}
	if v.link != nil {
		p.iface = v.link.Attrs().Name
	}
	return p
}

// finding is what one rule does.
type finding struct {
	status Status
	remedy remedy
	step   firewall.Step
	stop   firewall.Stop
}

// findings are those of a check, a rule with all that it stops in one.
type findings struct {
	judge
	found []finding
	stops [][]packets // of each
}

func (f *findings) add(one finding, what packets) {
	for i, known := range f.found {
		if known.status == one.status && known.remedy == one.remedy && known.stop.Rule == one.stop.Rule &&
			known.stop.Chain == one.stop.Chain && known.stop.Act == one.stop.Act && f.stops[i][0].side == what.side {
			f.stops[i] = append(f.stops[i], what)
			return
		}
	}
	f.found, f.stops = append(f.found, one), append(f.stops, []packets{what})
}

// result words what was found, the worst first.
func (f *findings) result(fine string) Result {
	for _, status := range []Status{Fail, Warn} {
		for i, one := range f.found {
			if one.status == status {
				f.find(one.status, one.describe(words(f.stops[i])), one.remedy.command)
				f.last(one.remedy.lasting)
			}
		}
	}
	return f.judge.result(fine)
}

// words name packets, as TCP and UDP of lan0 over IPv4.
func words(all []packets) string {
	list := func(pick func(packets) string) string {
		var names []string
		for _, p := range all {
			if name := pick(p); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return strings.Join(names, " and ")
	}
	text := all[0].side + list(func(p packets) string { return p.protocol })
	if ifaces := list(func(p packets) string { return p.iface }); ifaces != "" {
		if all[0].side == "" {
			text += " of " + ifaces
		} else {
			text += " to " + ifaces
		}
	}
	return text + " over " + list(func(p packets) string { return p.family })
}

func (f finding) describe(what string) string {
	if f.status != Fail {
		what = "some " + what
	}
	text := "chain " + f.step.Base.String() + " "
	if f.step.Before {
		text += "comes first and "
	}
	text += f.stop.Act + " " + what
	rule, limit := f.stop.Rule, f.stop.Limit
	switch {
	case rule == nil:
		text += ", by its policy"
	case f.stop.Chain == f.step.Base:
		text += fmt.Sprintf(": rule %d (%s)", rule.Handle, rule)
	default:
		text += fmt.Sprintf(": in chain %s, rule %d (%s)", f.stop.Chain.Name, rule.Handle, rule)
	}
	if limit != nil && limit != rule {
		text += fmt.Sprintf(", beyond the limit of rule %d (%s)", limit.Handle, limit)
	}
	return text
}
