package rules

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// addByHand completes the status by what is not in the table inet sluice.
func (s *Status) addByHand(all []handRule) error {
	found := sortByHand(all)
	delivering := found.delivering()
	s.Pasted, s.Others = deliveries(delivering), deliveries(found.others)
	s.Unseen = legacyTables()
	if len(delivering) > 0 && !s.Installed {
		s.Installed, s.Owner = true, ownerOperator
		s.takePorts(delivering)
		s.lacking(found.printed)
		if mark := delivering[0].delivers; mark.via == TProxy {
			s.Policy = fmt.Sprintf("fwmark %#x/%#x", mark.mark, mark.mask)
			faults, err := JudgeRouting(Diverted{Mark: mark.mark, Mask: mark.mask})
			if err != nil {
				return err
			}
			s.Faults = append(s.Faults, faults...)
		}
	}
	if len(delivering) == 0 && !s.Installed && slices.ContainsFunc(found.printed, handRule.listens) { // for listeners alone
		s.Installed, s.Owner = true, ownerOperator
	}
	return nil
}

// listens tells whether the rule is one of those for a listener.
func (r handRule) listens() bool {
	return r.chain == "PREROUTING" && slices.Contains(r.jumps, chainDivert)
}

// takePorts notes where pasted rules deliver.
func (s *Status) takePorts(delivering []handRule) {
	for _, r := range delivering {
		if r.delivers.iface != "" {
			s.takeWay(r.delivers)
			continue
		}
		if r.delivers.proto != protoUDP {
			s.TCPPort = r.delivers.port
		}
		if r.delivers.proto != protoTCP && r.delivers.via == TProxy {
			s.UDPPort = r.delivers.port
		}
	}
}

// takeWay notes where they deliver what arrives by an interface.
func (s *Status) takeWay(d *delivery) {
	tcp, udp := d.proto != protoUDP, d.proto != protoTCP && d.via == TProxy
	for i, w := range s.Ways {
		if w.Port == d.port && w.Ifaces[0] == d.iface {
			s.Ways[i].TCP, s.Ways[i].UDP = w.TCP || tcp, w.UDP || udp
			return
		}
	}
	s.Ways = append(s.Ways, Way{Ifaces: []string{d.iface}, Port: d.port, TCP: tcp, UDP: udp})
}

// lacking notes the families whose pasted chains no packet visits, or that
// have none.
func (s *Status) lacking(printed []handRule) {
	for family, command := range map[byte]string{familyIPv4: "iptables", familyIPv6: "ip6tables"} {
		if family == familyIPv6 && !slices.Contains(families(), unix.AF_INET6) {
			continue
		}
		visited := slices.ContainsFunc(printed, func(r handRule) bool {
			return r.family == family && r.chain == "PREROUTING" && slices.Contains(r.jumps, chainsPrefix)
		})
		delivers := slices.ContainsFunc(printed, func(r handRule) bool { return r.family == family && r.delivers != nil })
		if !visited || !delivers {
			s.Missing = append(s.Missing, command+" rules: sluice rules remove, then paste what sluice rules print --format iptables says")
		}
	}
}

// legacyTables names the tables that iptables-legacy made where diverting
// rules could be. What is in them is not told to anybody but iptables-legacy.
func legacyTables() []string {
	var unseen []string
	for file, command := range map[string]string{"ip_tables_names": "iptables-legacy", "ip6_tables_names": "ip6tables-legacy"} {
		names, _ := os.ReadFile("/proc/thread-self/net/" + file)
		for name := range strings.FieldsSeq(string(names)) {
			if name == "mangle" || name == "nat" {
				unseen = append(unseen, command+" -t "+name+" -S")
			}
		}
	}
	slices.Sort(unseen)
	return unseen
}

// sameByHand lists the policy rules and routes that are as ours but bear no
// sign of it.
func sameByHand(p policy) []string {
	var lines []string
	for _, family := range families() {
		standing, err := p.look(family)
		if err != nil {
			continue
		}
		for _, r := range standing.rules {
			if p.same(r) && r.protocol != RouteProtocol {
				lines = append(lines, r.String())
			}
		}
		for _, r := range standing.routes {
			if r.everythingLocal() && r.protocol != RouteProtocol {
				lines = append(lines, r.String())
			}
		}
	}
	return lines
}
