package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
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
	switch s := p.Spec; {
	case s.Fail == Open:
		return "", errors.New("rules: fail open: iptables drops or refuses what finds no listener: use --format nft")
	case s.zoned():
		return "", errors.New("rules: --source client: iptables cannot ask for the mark of the socket that a packet is for, by which sluice's own leg is told from the client's, and so not track them apart: use --format nft")
	case s.foreign() && s.Via == Redirect:
		return "", errors.New("rules: --source: what returns to foreign addresses is not written for iptables beside REDIRECT: use --format nft, or --via tproxy")
	case s.NoTrack:
		return "", errors.New("rules: --notrack: iptables cannot ask for the mark of the socket that a packet is for: use --format nft")
	case len(s.Oifaces) > 0:
		return "", errors.New("rules: --oiface: iptables cannot ask before routing where a packet would leave: use --format nft")
	case s.decides():
		return "", errors.New("rules: routes by which the kernel forwards flows are not written for iptables, which has no sets of its own for networks: use --format nft, or leave such destinations out with --exclude")
	case len(between(s)) > 0:
		return "", errors.New("rules: iptables cannot ask before routing where a packet would leave, and so not leave alone what goes from one of these interfaces to another, which the forward chain may forbid: use --format nft, or divert that too with --between-ifaces")
	}
	lines := []string{strings.TrimSuffix(p.notes(), "\n")}
	if p.Spec.Via == TProxy {
		lines = append(lines, "# iptables may warn that there is no connlabel.conf: none is needed")
	}
	if p.Spec.Output {
		lines = append(lines, "# iptables knows sluice's own packets by their mark alone: no rule before these in OUTPUT may set or restore a mark without a mask")
	}
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
		b.besideRedirect(s)
	} else {
		b.divert(s)
		if s.diverts() {
			b.remember(s)
		}
		b.errors(s)
		b.listening(s)
		b.returns(s)
	}
	if s.diverts() {
		b.chain(s, "SLUICE", "SLUICE_TARGET", s.protos(), deliverLines(s))
		b.ingress(s)
	}
	if s.Via == TProxy {
		b.sent(s)
	}
	if s.Via == TProxy && s.diverts() {
		b.line("-A OUTPUT -m conntrack --ctstate NEW -m addrtype ! --src-type LOCAL -j SLUICE_REMEMBER")
	}
	b.escapes(s)
	if s.Output {
		final := func(byte) []string { return []string{fmt.Sprintf("-j MARK --set-mark %#x/%#x", s.Mark, s.Mask)} }
		if s.Via == Redirect {
			final = func(byte) []string { return []string{redirectStep(s.TCPPort)} }
		}
		b.chain(s, "SLUICE_OUT", "SLUICE_OUT_TARGET", s.restProtos(), final)
		b.line("-A OUTPUT -j SLUICE_OUT")
	}
	return b.lines
}

// line adds a command. What it appends to a chain of the system's gets a
// comment by which remove knows it.
func (b *script) line(format string, args ...any) {
	command := fmt.Sprintf(format, args...)
	chain := strings.Fields(command)[1]
	if chain == "PREROUTING" || chain == "OUTPUT" || chain == "FORWARD" || chain == "POSTROUTING" {
		command += " -m comment --comment " + handComment
	}
	b.lines = append(b.lines, fmt.Sprintf("%s -t %s %s", b.command, b.table, command))
}

// divert makes the chain for packets that have a socket already.
func (b *script) divert(s Spec) {
	b.line("-N DIVERT")
	b.line("-A DIVERT -j MARK --set-mark %#x/%#x", s.Mark, s.Mask)
	b.line("-A DIVERT -j ACCEPT")
}

// sent does what sent does in nft.
func (b *script) sent(s Spec) {
	b.line("-A OUTPUT -m mark --mark %#x/%#x -m addrtype ! --src-type LOCAL -j MARK --set-mark 0/%#[2]x", s.Mark, s.Mask)
	b.line("-A OUTPUT -m mark --mark %#x/%#x -m mark --mark %#x/%#[3]x -j MARK --set-mark 0/%#[2]x", s.Mark, s.Mask, s.OwnMark)
}

// besideRedirect does in mangle what listeners need.
func (b *script) besideRedirect(s Spec) {
	if len(s.Listeners) == 0 {
		return
	}
	m := script{command: b.command, table: "mangle", family: b.family}
	m.divert(s)
	m.errors(s)
	m.listening(s)
	m.sent(s)
	m.line("-I FORWARD -m mark --mark %#x/%#x -j DROP", s.Mark, s.Mask)
	b.lines = append(b.lines, m.lines...)
}

// escapes come first in their chains, as escapes of the nft table do.
func (b *script) escapes(s Spec) {
	if s.Via == Redirect {
		return
	}
	b.line("-I FORWARD -m mark --mark %#x/%#x -j DROP", s.Mark, s.Mask)
	if s.Output {
		b.line("-I POSTROUTING ! -o lo -m mark --mark %#x/%#x -m addrtype --src-type LOCAL -j DROP", s.Mark, s.Mask)
	}
}

// ingress jumps to SLUICE from what arrives at the interfaces.
func (b *script) ingress(s Spec) {
	if s.Output && s.Via == TProxy {
		b.line("-A PREROUTING -i lo -m mark --mark %#x/%#x -j SLUICE", s.Mark, s.Mask)
	}
	if len(s.narrower()) == 0 {
		b.ingressOf(s.Ingress(), "")
		return
	}
	for _, proto := range s.protos() {
		b.ingressOf(s.ingressOf(proto), " -p "+protoName(proto))
	}
}

// ingressOf jumps from interfaces, none: from every one but lo, with what
// matches.
func (b *script) ingressOf(ifaces []string, match string) {
	for _, iface := range ifaces {
		b.line("-A PREROUTING -i %s%s -j SLUICE", iptablesIface(iface), match)
	}
	if len(ifaces) == 0 {
		b.line("-A PREROUTING ! -i lo%s -j SLUICE", match)
	}
}

func iptablesIface(name string) string {
	if stem, ok := strings.CutSuffix(name, anyTail); ok {
		return stem + "+"
	}
	return name
}

// chain writes what is left alone into the first chain and what becomes of
// the rest, per protocol, included network and ports, into the second.
func (b *script) chain(s Spec, name, target string, protos []byte, final steps) {
	b.line("-N %s", name)
	b.line("-N %s", target)
	out := name == "SLUICE_OUT"
	if !out && s.Via == TProxy && s.carries(protoTCP) && !s.foreign() {
		b.line("-A %s -p tcp ! --syn -m socket --transparent -j DIVERT", name)
	}
	if out {
		b.line("-A %s -m mark --mark %#x/%#[2]x -j RETURN", name, s.OwnMark)
		if s.ExcludeCgroup != "" {
			b.line("-A %s -m cgroup --path %s -j RETURN", name, strings.Trim(s.ExcludeCgroup, "/"))
		}
		for _, uid := range s.ExcludeUIDs {
			b.line("-A %s -m owner --uid-owner %d -j RETURN", name, uid)
		}
	}
	if !out && s.Via == Redirect {
		b.notListening(s, name)
	}
	for _, kind := range b.gatewayKinds() {
		b.line("-A %s -m addrtype --dst-type %s -j RETURN", name, kind)
	}
	if s.Via == TProxy {
		if out {
			b.line("-A %s -m addrtype ! --src-type LOCAL -j RETURN", name)
			b.line("-A %s -m conntrack --ctdir REPLY -j RETURN", name)
		}
		b.line("-N %s_FLOW", name)
		b.history(s, name, name+"_FLOW")
		name += "_FLOW"
	}
	for _, prefix := range ofFamily(s.Exclude, b.family) {
		b.line("-A %s -d %s -j RETURN", name, prefix)
	}
	for _, prefix := range ofFamily(s.Include, b.family) {
		b.line("-A %s -d %s -j %s", name, prefix, target)
	}
	if len(s.Include) == 0 {
		b.line("-A %s -j %s", name, target)
	}
	b.targets(s, target, protos, final)
}

// gatewayKinds are xt_addrtype's names; it knows no broadcast in IPv6.
func (b *script) gatewayKinds() []string {
	if b.family == familyIPv6 {
		return []string{"LOCAL", "ANYCAST", "MULTICAST"}
	}
	return []string{"LOCAL", "BROADCAST", "ANYCAST", "MULTICAST"}
}

// remember writes the chain remember of the nft table.
func (b *script) remember(s Spec) {
	b.line("-N SLUICE_REMEMBER")
	b.line("-A SLUICE_REMEMBER -m connmark --mark %#x/%#x -j RETURN", s.CTMark, s.CTMask)
	b.line("-A SLUICE_REMEMBER -j CONNMARK --set-mark %#x/%#x", s.CTMark, s.CTMask)
	b.line("-A SLUICE_REMEMBER -m connlabel --label %d --set", rememberLabel)
}

// history goes on to the chain next, but with what history leaves alone in nft.
func (b *script) history(s Spec, name, next string) {
	b.line("-A %s -m conntrack --ctstate INVALID,NEW,UNTRACKED -g %s", name, next)
	b.line("-A %s -m connmark --mark %#x/%#x -g %s", name, s.CTMark, s.CTMask, next)
	b.line("-A %s -m connlabel --label %d -g %s", name, rememberLabel, next)
	b.line("-A %s -m conntrack --ctdir REPLY -j RETURN", name)
	if s.Established == Keep {
		b.line("-A %s -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN", name)
	}
	b.line("-A %s -g %s", name, next)
}

// errors diverts ICMP errors, as errorsOf and tooBigs do in nft.
func (b *script) errors(s Spec) {
	match := "-p icmp --icmp-type"
	if b.family == familyIPv6 {
		match = "-p icmpv6 --icmpv6-type"
	}
	for _, kind := range icmpErrors[b.family] {
		b.line("-A PREROUTING %s %s -m socket --transparent -j DIVERT", match, kind.name)
	}
	if b.family == familyIPv6 && s.carries(protoUDP) {
		b.line("-A PREROUTING -p icmpv6 --icmpv6-type packet-too-big -m connmark --mark %#x/%#x -j DIVERT", s.CTMark, s.CTMask)
		b.line("-A PREROUTING -p icmpv6 --icmpv6-type packet-too-big -m connlabel --label %d -j DIVERT", rememberLabel)
	}
}

// returns writes what returns of the nft table does.
func (b *script) returns(s Spec) {
	if !s.foreign() {
		return
	}
	if s.carries(protoTCP) || !s.diverts() {
		b.line("-A PREROUTING -p tcp ! --syn -m socket --transparent -j DIVERT")
	}
	for _, addr := range s.Sources.Addrs {
		if s.takesReplies() && addr.Is6() == (b.family == familyIPv6) {
			b.line("-A PREROUTING -p udp -d %s -m socket --transparent -j DIVERT", addr)
		}
	}
}

// targets writes the final steps for each protocol and each group of ports.
func (b *script) targets(s Spec, target string, protos []byte, final steps) {
	for _, proto := range protos {
		for _, ports := range portGroups(s.Dports) {
			for _, step := range final(proto) {
				b.line("-A %s -p %s%s %s", target, protoName(proto), ports, step)
			}
		}
	}
}

// steps are the last ones of a diverted packet of a protocol, a command's end
// each.
type steps func(proto byte) []string

func redirectStep(port uint16) string { return fmt.Sprintf("-j REDIRECT --to-ports %d", port) }

// deliverLines deliver what arrives by a way there, and the rest.
func deliverLines(s Spec) steps {
	step := redirectStep
	var first []string
	if s.Via == TProxy {
		first = []string{"-j SLUICE_REMEMBER"}
		step = func(port uint16) string {
			return fmt.Sprintf("-j TPROXY --on-port %d --tproxy-mark %#x/%#x", port, s.Mark, s.Mask)
		}
	}
	return func(proto byte) []string {
		all := slices.Clone(first)
		for _, w := range s.Ways {
			for _, name := range w.Ifaces {
				if w.carries(proto) {
					all = append(all, fmt.Sprintf("-i %s %s", iptablesIface(name), step(w.Port)))
				}
			}
		}
		if port := s.rest(proto); port != 0 {
			all = append(all, step(port))
		}
		return all
	}
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
