package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/redir/rules"
	"sluice/redir/sockets"
)

// notices are what an operator should know of rules that were just installed:
// a line each.
func notices(spec rules.Spec, status rules.Status) (lines []string) {
	wanted := spec.Table
	if wanted == 0 {
		wanted = rules.DefaultTable
	}
	if status.Table != 0 && status.Table != wanted {
		lines = append(lines, fmt.Sprintf("routing table %d is used by others (ip route show table %[1]d; ip rule): table %d serves instead", wanted, status.Table))
	}
	for _, d := range append(slices.Clone(status.Pasted), status.Others...) {
		if slices.ContainsFunc(inlets(spec), func(l rules.Way) bool { return l.Port == d.Port }) {
			lines = append(lines, "diverts to sluice as well, so twice: "+d.String()+": keep one of the two; sluice rules remove takes away what sluice rules print wrote")
		}
	}
	for _, fault := range status.Faults {
		lines = append(lines, fault.String())
	}
	return lines
}

// unheard says that nobody listens where the rules divert to, what becomes of
// traffic meanwhile, and how to start sluice.
func unheard(spec rules.Spec) []string {
	var missing []string
	for _, l := range inlets(spec) {
		if l.TCP && !listens("tcp", l.Port, sockets.Listening) {
			missing = append(missing, fmt.Sprintf("TCP port %d", l.Port))
		}
		if l.UDP && !listens("udp", l.Port, sockets.Unconnected) {
			missing = append(missing, fmt.Sprintf("UDP port %d", l.Port))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	fate := "is dropped (--fail closed)"
	switch {
	case spec.Via == rules.Redirect:
		fate = "is refused"
	case spec.Fail == rules.Open:
		fate = "is forwarded without it (--fail open)"
	}
	return []string{fmt.Sprintf("nobody listens on %s: until sluice does, what the rules divert %s: start it with %s",
		strings.Join(missing, " and "), fate, runCommand(spec))}
}

// inlets are where the rules lead to: the ports of the rest, and of the ways. Of
// listeners, nobody but sluice knows what they are for.
func inlets(spec rules.Spec) (all []rules.Way) {
	add := func(w rules.Way) {
		if i := slices.IndexFunc(all, func(l rules.Way) bool { return l.Port == w.Port }); i >= 0 {
			all[i].TCP, all[i].UDP = all[i].TCP || w.TCP, all[i].UDP || w.UDP
		} else if w.Port != 0 {
			all = append(all, w)
		}
	}
	add(rules.Way{Port: spec.TCPPort, TCP: true})
	add(rules.Way{Port: spec.UDPPort, UDP: true})
	for _, w := range spec.Ways {
		add(w)
	}
	return all
}

// runCommand starts the sluice that these rules, already installed, lead to.
func runCommand(spec rules.Spec) string {
	command := "sluice run"
	tcp, udp := false, false
	for _, l := range inlets(spec) {
		tcp, udp = tcp || l.TCP, udp || l.UDP
		if spec.Via == rules.Redirect {
			command += fmt.Sprintf(" --redirect :%d", l.Port)
		} else {
			command += fmt.Sprintf(" --tproxy :%d", l.Port)
		}
	}
	switch {
	case spec.Via == rules.Redirect:
	case !udp:
		command += " --tproxy-network tcp"
	case !tcp:
		command += " --tproxy-network udp"
	}
	if spec.OwnMark != rules.DefaultOwnMark {
		command += fmt.Sprintf(" --mark %d", spec.OwnMark)
	}
	return command
}

// listens tells whether a socket of this network namespace has the port.
func listens(network string, port uint16, state sockets.State) bool {
	for s := range sockets.Here(network, network+"6") {
		if s.State == state && s.Local.Port() == port {
			return true
		}
	}
	return false
}

// idleRuleFlags are the rule flags that are set, wherever, and do nothing
// since --install-rules is not.
func (cmd *runCmd) idleRuleFlags(ctx *kong.Context) (flags []string) {
	if cmd.InstallRules {
		return nil
	}
	for _, in := range cmd.inbounds() {
		if in.Ifaces != "" {
			flags = append(flags, "iface of "+in.Tag)
		}
	}
	for _, s := range settings(ctx.Selected()) {
		values := texts(s.flag.Target)
		idle := len(values) == 0 || len(values) == 1 && (values[0] == s.flag.Default || values[0] == "false")
		if s.Object == rulesGroup && !idle {
			flags = append(flags, "--"+s.flag.Name)
		}
	}
	return flags
}

// logIdleRules warns of rule flags that do nothing.
func (p *process) logIdleRules(flags []string) {
	if len(flags) > 0 {
		p.log.Warn().Strs("flags", flags).Msg("these say what to divert, and do nothing without --install-rules")
	}
}
