package rules

import (
	"errors"
)

// mend compares what is there with what should be, and puts it right; all
// includes the table. The fault is what the kernel does otherwise although all
// is in place, the error says why something could not be put there.
func (i *Installed) mend(all bool) (done Repair, fault, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return done, nil, nil
	}
	plan := i.plan
	now, lost, err := i.compare(all)
	if err != nil {
		return done, nil, err
	}
	done.Missing = append(done.Missing, lost...)
	anew := len(lost) > 0
	var blocked *blockedError
	displaced := false
	if plan.policy != nil {
		// First, so that a rule which is taken away meanwhile is missing, and told.
		if displaced, err = plan.policy.displaced(); err != nil {
			return done, nil, err
		}
		routing, _, err := plan.policy.amiss()
		if err != nil && !errors.As(err, &blocked) {
			return done, nil, err
		}
		done.Missing = append(done.Missing, routing.Missing...)
		done.By = routing.By
		shared, err := plan.policy.shared()
		if err != nil {
			return done, nil, err
		}
		anew = anew || shared
	}
	if err := i.repair(anew, now, displaced || len(done.Missing) > 0); err != nil {
		return done, nil, err
	}
	if blocked != nil {
		return done, blocked, nil
	}
	if len(done.Missing) > 0 {
		return done, nil, nil // our own changes are news, upon which the kernel is asked
	}
	return done, i.effect(), nil
}

// compare lists what is lost beside the routing.
func (i *Installed) compare(all bool) (now seen, lost []string, err error) {
	if i.plan.Spec.Sysctl {
		for _, s := range i.plan.unmet() {
			lost = append(lost, s.Command())
		}
	}
	if !all && len(lost) == 0 {
		return now, nil, nil
	}
	if now, err = readTable(newConn()); err != nil {
		return now, nil, err
	}
	switch {
	case !now.exists:
		lost = append(lost, "table inet "+TableName)
	case now.print() != i.print:
		lost = append(lost, "parts of table inet "+TableName)
	}
	return now, lost, nil
}

// repair puts the plan in place anew, or the routing alone.
func (i *Installed) repair(anew bool, now seen, routing bool) error {
	if anew {
		if !now.exists {
			var err error
			if now, err = readTable(newConn()); err != nil {
				return err
			}
		}
		now.facts.Sysctls = i.changed
		return i.put(i.plan, now)
	}
	if i.plan.policy == nil || !routing {
		return nil
	}
	_, err := i.plan.policy.ensure()
	return errors.Join(err, removePolicies(i.plan.policy))
}

// effect is an error for what the kernel does otherwise although all is there.
func (i *Installed) effect() error {
	if i.plan.policy == nil {
		return nil
	}
	faults, _ := i.plan.policy.effect()
	if len(faults) == 0 {
		return nil
	}
	if r, _, err := i.plan.policy.amiss(); err != nil || len(r.Missing) > 0 {
		return nil // it was taken away just then, of which there is news too
	}
	var errs error
	for _, f := range faults {
		errs = errors.Join(errs, errors.New(f.String()))
	}
	return errs
}
