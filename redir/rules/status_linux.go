package rules

import (
	"fmt"
	"os"
	"strings"
)

// ReadStatus looks at what is there. An error says that it could not look.
func ReadStatus() (Status, error) {
	found, err := readTable(newConn())
	if err != nil {
		return Status{}, fmt.Errorf("rules: %w", err)
	}
	status := Status{
		Installed: found.ours, Foreign: found.exists && !found.ours,
		Owner: found.facts.Owner, Counters: found.counters, Sysctls: found.facts.Sysctls,
		TCPPort: found.facts.TCPPort, UDPPort: found.facts.UDPPort, Ways: found.facts.Ways, Listeners: found.facts.Listeners, Decisions: found.facts.Decisions,
		Living: found.ours && held(),
	}
	if _, standIn, _, err := readFlags(StepTable); err == nil {
		status.Owned = found.ours && (found.portID != 0 || standIn != 0)
	}
	if found.ours && !found.whole() {
		status.Missing = append(status.Missing, "rules of table inet "+TableName+": restart sluice, or "+found.facts.installCommand())
	}
	if policy := found.facts.Policy; policy != nil {
		status.Policy = fmt.Sprintf("fwmark %#x/%#x lookup %d priority %d%s",
			policy.mark, policy.mask, policy.table, policy.priority, policy.places())
		status.Table = policy.table
		missing, faults, err := policy.judge()
		if err != nil {
			return Status{}, fmt.Errorf("rules: %w", err)
		}
		status.Missing = append(status.Missing, missing...)
		status.Faults = faults
	}
	all, err := readAllRules()
	if err == nil {
		err = status.addByHand(all)
	}
	if err == nil && !status.Installed {
		status.Leftover, err = strayPolicies()
	}
	if err != nil {
		return Status{}, fmt.Errorf("rules: %w", err)
	}
	return status, nil
}

// held tells whether a living sluice holds the lock. To try it would keep
// another from it that starts just then.
func held() bool {
	sockets, _ := os.ReadFile("/proc/thread-self/net/unix")
	for line := range strings.Lines(string(sockets)) {
		if fields := strings.Fields(line); fields[len(fields)-1] == lockName {
			return true
		}
	}
	return false
}
