package rules

import (
	"errors"
	"fmt"
	"strings"
)

// Format is a form in which a Plan can be printed.
type Format string

// The formats.
const (
	FormatNFT      Format = "nft"      // a file for nft -f; the routing as comments
	FormatIPTables Format = "iptables" // a shell script with iptables and ip6tables
	FormatCommands Format = "commands" // a shell script with nft and ip
)

// errHeldOnly refuses what only a process can keep (Plan.mortal).
var errHeldOnly = errors.New("rules: fail open, via redirect or with output: the table must end with the process: use sluice run --install-rules, or --via tproxy without --output")

// Text is the Plan as text that works when pasted. An error says that the
// format cannot express the Plan, and which can.
func (p *Plan) Text(format Format) (string, error) {
	if p.mortal() {
		return "", errHeldOnly
	}
	undo, err := p.Undo(format)
	if err != nil {
		return "", err
	}
	undo = "# to undo it: sluice rules remove, or\n" + asComments(undo)
	body := p.withFacts(p.facts(ownerOperator, nil)).nft()
	switch format {
	case FormatNFT:
		if p.policy == nil {
			return p.notes() + body + undo, nil
		}
		return p.notes() + "# beside it, in a shell:\n" + asComments(lines(p.policy.script())) + body + undo, nil
	case FormatCommands:
		script := p.notes()
		if p.policy != nil {
			script += lines(p.policy.script())
		}
		return script + "nft -f - <<'END'\n" + body + "END\n" + p.sysctlText() + undo, nil
	default:
		text, err := p.iptables()
		return text + undo, err
	}
}

func lines(all []string) string { return strings.Join(all, "\n") + "\n" }

func asComments(text string) string {
	return "#   " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n#   ") + "\n"
}

// script are the ip commands for both families.
func (p policy) script() []string {
	var all []string
	for _, ip := range []string{"ip", "ip -6"} {
		for _, b := range p.besides(ip) {
			all = append(all, b.command(p.priority))
		}
	}
	all = append(all, p.commands("ip", p.priority)...)
	return append(all, p.commands("ip -6", p.priority)...)
}

// commands add one family's rule and route. The protocol marks them as ours, so
// that status and remove know them.
func (p policy) commands(ip string, priority uint32) []string {
	return []string{
		fmt.Sprintf("%s rule add fwmark %#x/%#x lookup %d priority %d protocol %d", ip, p.mark, p.mask, p.table, priority, RouteProtocol),
		fmt.Sprintf("%s route add local default dev lo table %d protocol %d", ip, p.table, RouteProtocol),
	}
}

// notes says what holds for every format.
func (p *Plan) notes() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# sluice: via %s, fail %s; sluice's own sockets bear mark %#x\n", p.Spec.Via, p.Spec.Fail, p.Spec.OwnMark)
	b.WriteString("# rules by hand have no owner, so that whoever flushes all tables takes them away; sluice run --install-rules owns its own (nft can as long as it runs: nft -i, flags owner, persist)\n")
	if !p.Spec.Sysctl {
		for _, s := range p.sysctls {
			fmt.Fprintf(&b, "# needs %s=%s: %s\n", sysctlName(s.Name), s.Want, s.Why)
		}
	}
	return b.String()
}

// sysctlText sets what exists: a kernel without IPv6 lacks some, and those of
// bridges matter where an ingress interface is one.
func (p *Plan) sysctlText() string {
	if !p.Spec.Sysctl {
		return ""
	}
	var b strings.Builder
	for _, s := range p.sysctls {
		command := fmt.Sprintf("[ ! -e /proc/sys/%s ] || %s", s.Name, s.Command())
		switch {
		case s.ofBridge():
			bridges := "/sys/class/net/*/bridge"
			if ifaces := p.Spec.Ingress(); len(ifaces) > 0 {
				bridges = "/sys/class/net/" + strings.Join(ifaces, "/bridge /sys/class/net/") + "/bridge"
			}
			command = fmt.Sprintf("for i in %s; do [ ! -e $i ] || %s; done", bridges, s.Command())
		case strings.Contains(s.Name, anyTail):
			command = fmt.Sprintf("for i in /proc/sys/%s; do [ ! -e $i ] || echo %s > $i; done", s.Name, s.Want)
		}
		b.WriteString(command + "\n")
	}
	return b.String()
}
