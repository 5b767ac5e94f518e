package rules

import (
	"errors"
	"fmt"
	"slices"
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
	if found.portID != 0 {
		return nil, &LivingError{Owner: ownerOf(found)}
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
	err = errors.Join(err, deleteTable(conn, StepTable)) // of one killed in the middle
	err = errors.Join(err, removePrinted(conn, all), removePolicies(nil), putBack(found.facts.Sysctls))
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return leftBehind(found.facts, sortByHand(all)), nil
}

// leftBehind says what Remove does not touch, and why: what delivers to the
// ports of what was removed, or to any where nothing tells which they were.
func leftBehind(facts Facts, hand byHand) (left []string) {
	pasted := deliveries(hand.delivering())
	ours := func(port uint16) bool {
		unknown := facts.Owner == "" && len(pasted) == 0
		return unknown || port == facts.TCPPort || port == facts.UDPPort ||
			slices.ContainsFunc(facts.Ways, func(w Way) bool { return w.Port == port }) ||
			slices.ContainsFunc(pasted, func(d Delivery) bool { return d.Port == port })
	}
	for _, d := range deliveries(hand.others) {
		if ours(d.Port) {
			left = append(left, d.String()+": sluice rules print did not write it")
		}
	}
	p := policy{mark: DefaultMark, mask: DefaultMask, table: DefaultTable}
	if facts.Policy != nil {
		p = *facts.Policy
	} else if len(pasted) > 0 && pasted[0].Via == TProxy {
		p.mark, p.mask = pasted[0].Mark, pasted[0].Mask
	}
	for _, line := range sameByHand(p) {
		left = append(left, fmt.Sprintf("%s: does not bear protocol %d, so it may be somebody else's", line, RouteProtocol))
	}
	for _, command := range legacyTables() {
		left = append(left, "what "+command+" shows, if anything: it cannot be seen from here; sluice rules print --format iptables --undo says what would take it away")
	}
	return left
}

// tableOwner is the owner that the table names, or nothing.
func tableOwner() string {
	found, err := readTable(newConn())
	if err != nil {
		return ""
	}
	return ownerOf(found)
}
