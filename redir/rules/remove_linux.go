package rules

import (
	"errors"
	"fmt"
)

// Remove takes away what Apply, pasted text or a dead sluice left: table,
// rules, routes, and changes of sysctls. That there is nothing is no error; a
// foreign table and a living owner's are.
func Remove() error {
	held, err := takeLock()
	if err != nil {
		return err
	}
	defer held.release()
	conn := newConn()
	found, err := readTable(conn)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	if found.exists && !found.ours {
		return errForeign
	}
	if found.exists {
		err = deleteTable(conn, TableName)
	}
	err = errors.Join(err, deleteTable(conn, stepTable)) // of one killed in the middle
	if err := errors.Join(err, removePolicies(nil), putBack(found.facts.Sysctls)); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	return nil
}

// tableOwner is the owner that the table names, or nothing.
func tableOwner() string {
	found, err := readTable(newConn())
	if err != nil {
		return ""
	}
	return found.facts.Owner
}
