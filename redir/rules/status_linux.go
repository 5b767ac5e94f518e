package rules

import (
	"fmt"
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
		TCPPort: found.facts.TCPPort, UDPPort: found.facts.UDPPort,
		Living: found.ours && held(),
	}
	if policy := found.facts.Policy; policy != nil {
		status.Policy = fmt.Sprintf("fwmark %#x/%#x lookup %d", policy.mark, policy.mask, policy.table)
		if status.Missing, err = policy.absent(); err != nil {
			return Status{}, fmt.Errorf("rules: %w", err)
		}
	}
	if !found.ours {
		status.Leftover, err = strayPolicies()
	}
	return status, err
}

// held tells whether a living sluice holds the lock, by trying it.
func held() bool {
	l, err := takeLock()
	if err != nil {
		return true
	}
	l.release()
	return false
}
