package rules

import (
	"errors"
	"fmt"
)

// LivingError says that the rules belong to a sluice that lives.
type LivingError struct {
	Owner string // "pid 1234", as the table tells, or the kernel; empty when neither does
}

func (e *LivingError) Error() string {
	if e.Owner == "" || e.Owner == ownerOperator {
		return "rules: another sluice is at work on them: try again, or see ss -xap | grep sluice-rules"
	}
	return fmt.Sprintf("rules: they belong to a running sluice (%s): stop it first, or change its configuration and send it SIGHUP", e.Owner)
}

var (
	errForeign = fmt.Errorf("rules: table inet %s is there and is not sluice's: look at it with nft list table inet %s, and rename or delete it", TableName, TableName)
	// The wait is settle, and some for the work.
	errUnowned  = errors.New("before Linux 5.12 nothing keeps a firewall that is loaded anew from flushing the rules: a running sluice puts them back some 60 ms later")
	errOperator = errors.New("rules: they were installed by hand: run without --install-rules, or take them away first with sluice rules remove")
)
