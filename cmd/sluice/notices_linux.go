package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/redir/rules"
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
		if d.Port == spec.TCPPort || d.Port == spec.UDPPort {
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
	if spec.TCPPort != 0 && !listens(spec.TCPPort, "0A", "tcp", "tcp6") {
		missing = append(missing, fmt.Sprintf("TCP port %d", spec.TCPPort))
	}
	if spec.UDPPort != 0 && !listens(spec.UDPPort, "07", "udp", "udp6") {
		missing = append(missing, fmt.Sprintf("UDP port %d", spec.UDPPort))
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

// runCommand starts the sluice that these rules, already installed, lead to.
func runCommand(spec rules.Spec) string {
	command := fmt.Sprintf("sluice run --tproxy :%d", max(spec.TCPPort, spec.UDPPort))
	switch {
	case spec.Via == rules.Redirect:
		command = fmt.Sprintf("sluice run --redirect :%d", spec.TCPPort)
	case spec.UDPPort == 0:
		command += " --tproxy-network tcp"
	case spec.TCPPort == 0:
		command += " --tproxy-network udp"
	}
	if spec.OwnMark != rules.DefaultOwnMark {
		command += fmt.Sprintf(" --mark %d", spec.OwnMark)
	}
	return command
}

// listens tells whether a socket of this network namespace has the port, in a
// state (TCP_LISTEN, TCP_CLOSE) of some of the tables of /proc/net.
func listens(port uint16, state string, tables ...string) bool {
	suffix := fmt.Sprintf(":%04X", port)
	for _, table := range tables {
		text, _ := os.ReadFile("/proc/thread-self/net/" + table)
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 3 && strings.HasSuffix(fields[1], suffix) && fields[3] == state {
				return true
			}
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
