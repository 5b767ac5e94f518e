package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Decision is one of the operator's rules of routes: what a flow's first packet
// has to show, and whether the kernel forwards such flows or sluice takes them.
// The zero value of a condition asks for nothing; all that ask must hold. Decisions
// stand in order, and a flow's is the first that it meets; sluice takes what meets
// none.
type Decision struct {
	Forward bool
	Invert  bool // the flows that do not meet all

	TCP, UDP               bool    // the networks; neither: both
	Inlets                 []Inlet // where the flow would be diverted to; nil: wherever
	Sources, Dests         *Addrs  // nil: any
	SourcePorts, DestPorts []PortRange

	Name string `json:"-"` // what errors call it, as route.rules[2]
}

// Inlet is where sluice takes in what is diverted: the port of a Way, or of the
// rest.
type Inlet struct {
	Port     uint16
	TCP, UDP bool
}

// decides tells whether anything is to be forwarded by a decision.
func (s Spec) decides() bool { return s.diverts() && len(s.Decisions) > 0 }

// withDecisions is the Spec without decisions behind the last one to forward,
// which change nothing.
func (s Spec) withDecisions() Spec {
	last := len(s.Decisions) - 1
	for last >= 0 && !s.Decisions[last].Forward {
		last--
	}
	s.Decisions = s.Decisions[:last+1]
	return s
}

func checkDecisions(s Spec) error {
	for i, d := range s.Decisions {
		for _, r := range slices.Concat(d.SourcePorts, d.DestPorts) {
			if r.Lo > r.Hi {
				return fmt.Errorf("%s: ports %s: want a range from low to high", cmp.Or(d.Name, fmt.Sprint("decision ", i+1)), r)
			}
		}
	}
	return nil
}

func checkLeftConntrackMark(s Spec) error {
	switch {
	case !s.decides():
	case s.CTLeft == 0 || s.CTLeft&^s.CTLeftMask != 0:
		return fmt.Errorf("conntrack mark %#x/%#x of what is left to the kernel: the mark must not be 0 and must lie within its mask, as %#x/%#x", s.CTLeft, s.CTLeftMask, DefaultCTLeft, DefaultCTLeftMask)
	case s.CTLeftMask&s.CTMask != 0 || s.foreign() && s.CTLeftMask&s.CTOwnMask != 0:
		return fmt.Errorf("conntrack mark %#x/%#x of what is left to the kernel: shares bits with another of sluice's conntrack marks, so that one would undo the other: choose another --ct-left-mark", s.CTLeft, s.CTLeftMask)
	case s.CTLeft&s.Mask == s.Mark || s.OwnMark != 0 && s.CTLeft&s.OwnMark == s.OwnMark:
		return fmt.Errorf("conntrack mark %#x of what is left to the kernel: holds the bits of fwmark %#x/%#x or of the own mark %#x, so that whoever restores it into packets would divert them: choose another --ct-left-mark",
			s.CTLeft, s.Mark, s.Mask, s.OwnMark)
	}
	return nil
}

// carries tells whether a decision is about a protocol.
func (d Decision) carries(proto byte) bool {
	return d.TCP == d.UDP || proto == protoTCP && d.TCP || proto == protoUDP && d.UDP
}

// takes tells whether a decision is about what goes to a port of sluice's.
func (d Decision) takes(port uint16, proto byte) bool {
	return d.Inlets == nil || slices.ContainsFunc(d.Inlets, func(in Inlet) bool {
		return in.Port == port && (proto == protoTCP && in.TCP || proto == protoUDP && in.UDP)
	})
}

// has tells whether a decision can hold for a family's addresses.
func (d Decision) has(family byte) bool {
	return (d.Sources == nil || d.Sources.of(family).Len() > 0) && (d.Dests == nil || d.Dests.of(family).Len() > 0)
}

// Sets of what decisions ask for; a number follows.
const (
	setSources     = "from"
	setDests       = "to"
	setSourcePorts = "from_ports"
	setDestPorts   = "to_ports"
	setBy          = "by"
)

// decisionSets names what decisions ask for. Addresses that more than one asks for
// are one set.
type decisionSets struct {
	sets  []set
	known map[string]string // name by digest and family, or by the interfaces
}

func (s Spec) decisionSets() *decisionSets {
	d := &decisionSets{known: map[string]string{}}
	if !s.decides() {
		return d
	}
	for i, decision := range s.Decisions {
		for _, family := range bothFamilies {
			if decision.has(family) {
				d.addrs(setSources, i, family, decision.Sources)
				d.addrs(setDests, i, family, decision.Dests)
			}
		}
		for _, proto := range s.protos() {
			ifaces, _, _ := s.arrivesBy(decision, proto, false)
			d.ifaces(i, ifaces)
		}
		d.ports(setSourcePorts, i, decision.SourcePorts)
		d.ports(setDestPorts, i, decision.DestPorts)
	}
	return d
}

// addrs adds a set, unless there is one of the same addresses.
func (d *decisionSets) addrs(name string, i int, family byte, a *Addrs) {
	if a == nil {
		return
	}
	key := addrsKey(family, a)
	if _, known := d.known[key]; known {
		return
	}
	made := set{name: fmt.Sprintf("%s%d_%s", name, i+1, familyDigit(family)), kind: kindIPv4, interval: true, spans: a.of(family), sum: a.sum}
	if family == familyIPv6 {
		made.kind = kindIPv6
	}
	d.known[key] = made.name
	d.sets = append(d.sets, made)
}

func addrsKey(family byte, a *Addrs) string {
	return familyDigit(family) + a.sum
}

func familyDigit(family byte) string {
	if family == familyIPv6 {
		return "6"
	}
	return "4"
}

// ifaces adds a set of some interfaces, where there are several.
func (d *decisionSets) ifaces(i int, names []string) {
	key := strings.Join(names, ",")
	if _, known := d.known[key]; known || len(names) < 2 {
		return
	}
	made := ifaceSet(fmt.Sprint(setBy, i+1, "_", len(d.sets)), names)
	d.known[key] = made.name
	d.sets = append(d.sets, made)
}

// among matches what arrives by one of some interfaces or, with not, by none of
// them.
func (d *decisionSets) among(names []string, not bool) []term {
	switch {
	case len(names) == 0:
		return nil
	case len(names) == 1:
		return []term{ifaceIs{names[0], not}}
	case not:
		return []term{ifaceNotIn{d.known[strings.Join(names, ",")]}}
	}
	return []term{ifaceIn{d.known[strings.Join(names, ",")]}}
}

func (d *decisionSets) ports(name string, i int, ranges []PortRange) {
	if len(ranges) > 0 {
		d.sets = append(d.sets, portSet(fmt.Sprint(name, i+1), ranges))
	}
}

// holds are what a decision asks for, but for networks and interfaces, as the
// matches of one rule or of one for each family; none: it never holds.
func (d *decisionSets) holds(i int, decision Decision) (rules [][]term) {
	var ports []term
	if len(decision.SourcePorts) > 0 {
		ports = append(ports, portIn{fmt.Sprint(setSourcePorts, i+1), true})
	}
	if len(decision.DestPorts) > 0 {
		ports = append(ports, portIn{fmt.Sprint(setDestPorts, i+1), false})
	}
	if decision.Sources == nil && decision.Dests == nil {
		return [][]term{ports}
	}
	for _, family := range bothFamilies {
		if !decision.has(family) {
			continue
		}
		rule := slices.Clone(ports)
		if decision.Sources != nil {
			rule = append(rule, sourceIn{family, d.known[addrsKey(family, decision.Sources)]})
		}
		if decision.Dests != nil {
			rule = append(rule, destIn{family, d.known[addrsKey(family, decision.Dests)], false})
		}
		rules = append(rules, rule)
	}
	return rules
}
