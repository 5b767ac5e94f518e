package rules

import (
	"errors"
	"fmt"
)

// State is how rules that were installed stand.
type State struct {
	Amiss []string // what keeps them from having effect; none: they have
	Needs []string // sysctls that should change
	Zones []int    // of the connection tracker, that they use
}

// ErrBusy says that somebody is at work on the rules.
var ErrBusy = errors.New("rules: they are being changed")

// Look says how the rules stand, and changes nothing: whether the table is there,
// what the kernel answers for diverted packets, and what Watch could not put right.
// That the table is whole, Watch knows, which reads it upon each change. It is
// ErrBusy rather than to wait.
func (i *Installed) Look() (s State, err error) {
	if !i.mu.TryLock() {
		return State{}, ErrBusy
	}
	defer i.mu.Unlock()
	if i.closed {
		return State{Amiss: []string{"the rules are taken away, or left to another"}}, nil
	}
	_, _, exists, err := readFlags(TableName)
	if err != nil {
		return State{}, fmt.Errorf("rules: %w", err)
	}
	if !exists {
		s.Amiss = append(s.Amiss, "table inet "+TableName+" is gone")
	}
	if i.plan.policy != nil {
		missing, faults, err := i.plan.policy.judge()
		if err != nil {
			return State{}, fmt.Errorf("rules: %w", err)
		}
		for _, command := range missing {
			s.Amiss = append(s.Amiss, "missing: "+command)
		}
		for _, f := range faults {
			s.Amiss = append(s.Amiss, f.String())
		}
	}
	if err := i.unmended.Load(); err != nil && len(s.Amiss) == 0 {
		s.Amiss = append(s.Amiss, (*err).Error())
	}
	for _, sysctl := range i.plan.unmet() {
		s.Needs = append(s.Needs, sysctl.Command()+": "+sysctl.Why)
	}
	if i.plan.Spec.zoned() {
		s.Zones = []int{Zone}
	}
	return s, nil
}
