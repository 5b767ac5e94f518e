package rules

import (
	"errors"
	"fmt"
	"slices"
)

// put installs the plan over what is there, or leaves that as it was.
func (i *Installed) put(plan *Plan, before seen) (err error) {
	var undo []func() error
	defer func() {
		if err == nil {
			return
		}
		for _, step := range slices.Backward(undo) {
			err = errors.Join(err, gone(step()))
		}
	}()
	if plan.policy != nil {
		if plan, err = plan.settled(); err != nil {
			return fmt.Errorf("rules: %w", err)
		}
		steps, err := plan.policy.ensure()
		undo = append(undo, steps...)
		if err != nil {
			return fmt.Errorf("rules: %w", err)
		}
	}
	var changed, unwanted []Changed
	if plan.Spec.Sysctl {
		changed = plan.changes(before.facts.Sysctls)
	} else {
		unwanted = before.facts.Sysctls
	}
	kept := 0 // changes that a plan before this one still needs
	if i.plan != nil {
		kept = min(len(i.changed), len(changed))
		undo = append(undo, func() error { return i.write(i.plan, i.changed, before.counters) })
	}
	if i.plan == nil && !before.exists { // write may fail after the table was made
		undo = append(undo, i.drop)
	}
	if err := i.write(plan, changed, before.counters); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	undo = append(undo, func() error { return putBack(changed[kept:]) })
	if err := apply(changed); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	if err := errors.Join(putBack(unwanted), removePolicies(plan.policy)); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	i.plan, i.changed = plan, changed
	if plan.policy != nil {
		i.routingTable.Store(int64(plan.policy.table))
	}
	return nil
}

// settled is the plan with a routing table that nobody else uses.
func (p *Plan) settled() (*Plan, error) {
	next := *p
	settled, err := p.policy.settled()
	next.policy = &settled
	return &next, err
}

// write makes the table, and remembers how it looks. One that is of the plan
// already, and as it was made, is adopted: only its facts change.
func (i *Installed) write(plan *Plan, changed []Changed, counters []Counter) error {
	counts := map[string]Counter{}
	for _, c := range counters {
		counts[c.Name] = c
	}
	facts := plan.facts(i.owner, changed)
	old, err := readTable(newConn())
	if err == nil {
		old, err = i.writeOver(old, plan, facts, counts)
	}
	if err != nil {
		return err
	}
	if i.owner == ownerOperator { // nobody adopts it
		i.print = old.print()
		return nil
	}
	facts.Seal = old.seal(plan)
	old.comments = facts.comments()
	i.print = old.print()
	return i.holder.writeFacts(facts)
}

// writeOver returns the table as it is then.
func (i *Installed) writeOver(old seen, plan *Plan, facts Facts, counts map[string]Counter) (seen, error) {
	flags, twice := i.holder.flags(plan, i.owner), i.holder.twice(plan, i.owner)
	var err error
	switch {
	case old.is(plan) && (old.flags == flags || old.flags == flagPersist && flags == flagsHeld):
		if old.flags != flags { // an orphan
			err = i.holder.create(TableName, flags)
		}
		if err == nil && twice {
			err = i.holder.standIn(plan.withFacts(facts), flagOwner)
		} else if err == nil {
			err = i.holder.delete(StepTable) // of one killed in the middle
		}
		return old, err
	case twice:
		err = i.holder.replaceTwice(plan.withFacts(facts), counts, old)
	default:
		err = i.holder.replace(plan.withFacts(facts), counts, flags, old)
	}
	if err != nil {
		return old, err
	}
	return readTable(newConn())
}

// drop deletes the table if it is ours.
func (i *Installed) drop() error {
	now, err := readTable(newConn())
	if err == nil && now.ours {
		err = i.holder.delete(TableName)
	}
	return errors.Join(err, i.holder.delete(StepTable)) // of one killed in the middle
}
