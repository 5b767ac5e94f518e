package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// script gathers the lines of one family's iptables commands.
type script struct {
	command string // iptables or ip6tables
	table   string // mangle or nat
	family  byte
	lines   []string
}

// iptables writes the kernel document's own form (Documentation/networking/
// tproxy.rst): a DIVERT chain for connections that have a socket, TPROXY for
// the rest, and the policy routing. xt_TPROXY drops what finds no listener
// (tproxy_tg4, NF_DROP), so it cannot fail open.
func (p *Plan) iptables() (string, error) {
	switch {
	case p.Spec.Fail == Open:
		return "", errors.New("rules: fail open: iptables drops or refuses what finds no listener: use --format nft")
	}
	lines := []string{strings.TrimSuffix(p.notes(), "\n")}
	for _, family := range []byte{familyIPv4, familyIPv6} {
		lines = append(lines, iptablesFor(p.Spec, family)...)
	}
	if p.policy != nil {
		lines = append(lines, p.policy.script()...)
	}
	return strings.Join(lines, "\n") + "\n" + p.sysctlText(), nil
}

func iptablesFor(s Spec, family byte) []string {
	b := script{command: "iptables", table: "mangle", family: family}
	if family == familyIPv6 {
		b.command = "ip6tables"
	}
	if s.Via == Redirect {
		b.table = "nat"
	} else if s.TCPPort != 0 {
		b.line("-N DIVERT")
		b.line("-A DIVERT -j MARK --set-mark %#x/%#x", s.Mark, s.Mask)
		b.line("-A DIVERT -j ACCEPT")
	}
	b.chain(s, "SLUICE", "SLUICE_TARGET", deliverLines(s))
	b.ingress(s)
	if s.Output {
		final := []string{fmt.Sprintf("-j MARK --set-mark %#x/%#x", s.Mark, s.Mask)}
		if s.Via == Redirect {
			final = deliverLines(s)
		}
		b.chain(s, "SLUICE_OUT", "SLUICE_OUT_TARGET", final)
		b.line("-A OUTPUT -j SLUICE_OUT")
	}
	return b.lines
}

// line adds a command. What it appends to a chain of the system's gets a
// comment by which remove knows it.
func (b *script) line(format string, args ...any) {
	command := fmt.Sprintf(format, args...)
	if strings.HasPrefix(command, "-A PREROUTING ") || strings.HasPrefix(command, "-A OUTPUT ") {
		command += " -m comment --comment " + handComment
	}
	b.lines = append(b.lines, fmt.Sprintf("%s -t %s %s", b.command, b.table, command))
}

// ingress jumps to SLUICE from what arrives at the interfaces.
func (b *script) ingress(s Spec) {
	if s.Output && s.Via == TProxy {
		b.line("-A PREROUTING -i lo -m mark --mark %#x/%#x -j SLUICE", s.Mark, s.Mask)
	}
	for _, iface := range s.Ifaces {
		b.line("-A PREROUTING -i %s -j SLUICE", iface)
	}
	if len(s.Ifaces) == 0 {
		b.line("-A PREROUTING ! -i lo -j SLUICE")
	}
}

// chain writes what is left alone into the first chain and what becomes of
// the rest, per protocol, included network and ports, into the second.
func (b *script) chain(s Spec, name, target string, final []string) {
	b.line("-N %s", name)
	b.line("-N %s", target)
	b.line("-A %s -m mark --mark %#x -j RETURN", name, s.OwnMark)
	out := name == "SLUICE_OUT"
	if !out && s.Via == TProxy && s.TCPPort != 0 {
		b.line("-A %s -p tcp ! --syn -m socket --transparent -j DIVERT", name)
	}
	if out {
		if s.ExcludeCgroup != "" {
			b.line("-A %s -m cgroup --path %s -j RETURN", name, strings.Trim(s.ExcludeCgroup, "/"))
		}
		for _, uid := range s.ExcludeUIDs {
			b.line("-A %s -m owner --uid-owner %d -j RETURN", name, uid)
		}
	}
	for _, kind := range b.gatewayKinds() {
		b.line("-A %s -m addrtype --dst-type %s -j RETURN", name, kind)
	}
	b.history(s, name, out || len(s.Ifaces) == 0)
	for _, prefix := range ofFamily(s.Exclude, b.family) {
		b.line("-A %s -d %s -j RETURN", name, prefix)
	}
	for _, prefix := range ofFamily(s.Include, b.family) {
		b.line("-A %s -d %s -j %s", name, prefix, target)
	}
	if len(s.Include) == 0 {
		b.line("-A %s -j %s", name, target)
	}
	b.targets(s, target, final)
}

// gatewayKinds are xt_addrtype's names; it knows no broadcast in IPv6.
func (b *script) gatewayKinds() []string {
	if b.family == familyIPv6 {
		return []string{"LOCAL", "ANYCAST", "MULTICAST"}
	}
	return []string{"LOCAL", "BROADCAST", "ANYCAST", "MULTICAST"}
}

// history leaves alone what unanswered leaves alone in nft.
func (b *script) history(s Spec, name string, repliesToo bool) {
	if s.Via == Redirect {
		return
	}
	if repliesToo {
		b.line("-A %s -m conntrack --ctdir REPLY -j RETURN", name)
	}
	if s.Established == Keep {
		b.line("-A %s -m conntrack --ctstate ESTABLISHED,RELATED -m connmark ! --mark %#x/%#x -j RETURN", name, s.Mark, s.Mask)
	}
}

// targets writes the final steps for each protocol and each group of ports.
func (b *script) targets(s Spec, target string, final []string) {
	for _, proto := range s.protos() {
		for _, ports := range portGroups(s.Dports) {
			for _, step := range final {
				if only, rest, ok := strings.Cut(step, ":"); ok {
					if only != protoName(proto) {
						continue
					}
					step = rest
				}
				b.line("-A %s -p %s%s %s", target, protoName(proto), ports, step)
			}
		}
	}
}

// deliverLines are the last steps of a diverted packet; "tcp:" or "udp:" in
// front keeps a step to that protocol.
func deliverLines(s Spec) []string {
	if s.Via == Redirect {
		return []string{fmt.Sprintf("-j REDIRECT --to-ports %d", s.TCPPort)}
	}
	var steps []string
	if s.Established == Keep {
		steps = append(steps, fmt.Sprintf("-j CONNMARK --set-mark %#x/%#x", s.Mark, s.Mask))
	}
	return append(steps,
		fmt.Sprintf("tcp:-j TPROXY --on-port %d --tproxy-mark %#x/%#x", s.TCPPort, s.Mark, s.Mask),
		fmt.Sprintf("udp:-j TPROXY --on-port %d --tproxy-mark %#x/%#x", s.UDPPort, s.Mark, s.Mask))
}

// portGroups writes ranges as multiport matches, which hold 15 ports each, a
// range counting for two (XT_MULTI_PORTS). No range is one empty match.
func portGroups(ranges []PortRange) []string {
	if len(ranges) == 0 {
		return []string{""}
	}
	var groups []string
	for len(ranges) > 0 {
		n := min(7, len(ranges))
		texts := make([]string, n)
		for i, r := range ranges[:n] {
			texts[i] = strings.Replace(r.String(), "-", ":", 1)
		}
		groups = append(groups, " -m multiport --dports "+strings.Join(texts, ","))
		ranges = ranges[n:]
	}
	return groups
}

func ofFamily(prefixes []netip.Prefix, family byte) []netip.Prefix {
	var own []netip.Prefix
	for _, prefix := range prefixes {
		if prefix.Addr().Is6() == (family == familyIPv6) {
			own = append(own, prefix)
		}
	}
	return own
}
