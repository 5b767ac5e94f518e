package rules

import (
	"errors"
	"fmt"
)

// Remove takes away what Apply, pasted text or a dead sluice left: table,
// iptables chains, rules, routes, and changes of sysctls. What it leaves, and
// why, is returned. That there is nothing is no error; a foreign table and a
// living owner's are.
func Remove() (left []string, err error) {
	held, err := takeLock()
	if err != nil {
		return nil, err
	}
	defer held.release()
	conn := newConn()
	found, err := readTable(conn)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if found.exists && !found.ours {
		return nil, errForeign
	}
	all, err := readAllRules()
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if found.exists {
		err = deleteTable(conn, TableName)
	}
	err = errors.Join(err, deleteTable(conn, stepTable)) // of one killed in the middle
	err = errors.Join(err, removePrinted(conn, all), removePolicies(nil), putBack(found.facts.Sysctls))
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return leftBehind(found.facts.Policy, sortByHand(all)), nil
}

// leftBehind says what Remove does not touch, and why.
func leftBehind(p *policy, hand byHand) (left []string) {
	for _, r := range hand.others {
		left = append(left, r.String()+": sluice rules print did not write it")
	}
	if p == nil {
		p = &policy{mark: DefaultMark, mask: DefaultMask, table: DefaultTable}
		if rules := hand.delivering(); len(rules) > 0 && rules[0].delivers.via == TProxy {
			p.mark, p.mask = rules[0].delivers.mark, rules[0].delivers.mask
		}
	}
	for _, line := range sameByHand(*p) {
		left = append(left, fmt.Sprintf("%s: does not bear protocol %d, so it may be somebody else's", line, RouteProtocol))
	}
	for _, command := range legacyTables() {
		left = append(left, "what "+command+" shows, if anything: it cannot be seen from here; sluice rules print --format iptables --undo says what would take it away")
	}
	return compact(left)
}

// tableOwner is the owner that the table names, or nothing.
func tableOwner() string {
	found, err := readTable(newConn())
	if err != nil {
		return ""
	}
	return found.facts.Owner
}
