package rules

import (
	"fmt"
	"slices"
	"strings"
)

// Undo is text that takes away what Text put in place, as far as that was
// pasted whole. Sysctls keep their values: what they were nobody wrote down.
func (p *Plan) Undo(format Format) (string, error) {
	var routing []string
	if p.policy != nil {
		for _, command := range p.policy.script() {
			routing = append(routing, strings.Replace(command, " add ", " del ", 1))
		}
	}
	var text string
	switch format {
	case FormatNFT:
		text = fmt.Sprintf("table inet %s\ndelete table inet %[1]s\n", TableName)
		if len(routing) > 0 {
			text += "# beside it, in a shell:\n" + asComments(lines(routing))
		}
	case FormatCommands:
		text = lines(append([]string{"nft delete table inet " + TableName}, routing...))
	case FormatIPTables:
		var all []string
		for _, family := range []byte{familyIPv4, familyIPv6} {
			all = append(all, undoIPTables(iptablesFor(p.Spec, family))...)
		}
		text = lines(append(all, routing...))
	default:
		return "", fmt.Errorf("rules: format %q: want nft, iptables or commands", format)
	}
	if p.Spec.Sysctl {
		text += "# sysctls stay as they are\n"
	}
	return text, nil
}

// undoIPTables takes the commands back: what was put into the system's
// chains first, so that nothing leads to ours any more, then those, emptied
// before one of them is deleted.
func undoIPTables(commands []string) []string {
	var appended, flushed, deleted []string
	made := map[string]bool{}
	for _, command := range slices.Backward(commands) {
		if program, rest, ok := strings.Cut(command, " -N "); ok {
			made[rest] = true
			flushed = append(flushed, program+" -F "+rest)
			deleted = append(deleted, program+" -X "+rest)
		}
	}
	for _, command := range slices.Backward(commands) {
		program, rest, ok := strings.Cut(command, " -A ")
		if !ok {
			program, rest, ok = strings.Cut(command, " -I ")
		}
		if chain, _, _ := strings.Cut(rest, " "); ok && !made[chain] {
			appended = append(appended, program+" -D "+rest)
		}
	}
	return slices.Concat(appended, flushed, deleted)
}
