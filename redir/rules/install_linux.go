package rules

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
)

// Installed is the rules of a running sluice, who takes them away with Close.
// Its methods may be called from any goroutine of the network namespace.
type Installed struct {
	mu      sync.Mutex // guards what follows
	lock    *lock
	holder  *holder
	plan    *Plan
	owner   string
	changed []Changed // sysctls, as the facts have them
	print   string    // of the table as it was written
	closed  bool      // or left

	routingTable atomic.Int64 // the policy's, for who listens to news
}

// Install puts the rules in place for as long as this process wants them, and
// owns the table where the kernel can (Unowned). What a dead sluice left, or
// one that has called Leave, is taken over: kept where it is what the Spec comes
// to, else replaced without a gap. It refuses with a *LivingError when another
// lives. When a step fails, the earlier ones are undone, but that a leftover
// table keeps the rules of one Spec or the other.
func Install(spec Spec) (*Installed, error) {
	return install(spec, fmt.Sprintf("pid %d", os.Getpid()), canPersist)
}

// Apply puts the rules in place to stay until Remove. Doing it again replaces
// them. The sysctls that should change and did not are returned.
func Apply(spec Spec) (unmet []Sysctl, err error) {
	i, err := install(spec, ownerOperator, canPersist)
	if err != nil {
		return nil, err
	}
	unmet = i.Unmet()
	return unmet, i.Leave()
}

// install does no more than most, whatever the kernel can.
func install(spec Spec, owner string, most ability) (*Installed, error) {
	plan, err := NewPlan(spec)
	if err != nil {
		return nil, err
	}
	if plan.mortal() && owner == ownerOperator {
		return nil, errHeldOnly
	}
	held, err := takeLock()
	if err != nil {
		return nil, err
	}
	i := &Installed{lock: held, owner: owner}
	before, err := readTable(newConn())
	switch {
	case err != nil:
	case before.portID != 0:
		err = &LivingError{Owner: ownerOf(before)}
	case before.exists && !before.ours:
		err = errForeign
	case before.ours && before.facts.Owner == ownerOperator && owner != ownerOperator:
		err = errOperator
	default:
		if i.holder, err = newHolder(most); err == nil {
			err = i.put(plan, before)
		}
	}
	if err != nil {
		if i.holder != nil {
			i.holder.close()
		}
		held.release()
		return nil, err
	}
	return i, nil
}

// Unowned says why others can flush or change the table, or is empty.
func (i *Installed) Unowned() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.holder.can != cannotOwn {
		return ""
	}
	return errUnowned.Error()
}

// TryOwning returns an error where the kernel lets others take the rules away.
func TryOwning() error {
	h, err := newHolder(canPersist)
	if err != nil {
		return err
	}
	defer h.close()
	if h.can == cannotOwn {
		return errUnowned
	}
	return nil
}

// Unmet lists the sysctls that the rules need and that are not so.
func (i *Installed) Unmet() []Sysctl {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.plan.unmet()
}

// Replace swaps in another Spec without a gap; counters of the same name go
// on. When it fails, the old rules stay. Flows under way stay diverted when the
// marks change, by their label.
func (i *Installed) Replace(spec Spec) error {
	plan, err := NewPlan(spec)
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	before, err := readTable(newConn())
	switch {
	case err != nil:
		return err
	case before.exists && !before.ours:
		return errForeign
	}
	before.facts.Sysctls = i.changed
	return i.put(plan, before)
}

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
	case old.is(plan) && (old.flags == flags || old.flags|flagOwner == flags):
		if old.flags != flags {
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

// Leave ends the ownership and leaves the rules in force, for a process that
// calls Install next: until then they are an orphan, which a flush takes away,
// as it does where they never had an owner (Unowned). Rules that must not
// outlive a process (fail open, via redirect or with output) end with it, and
// an error says so. No method may be called after it but Close, which does
// nothing then.
func (i *Installed) Leave() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil
	}
	i.closed = true
	defer i.lock.release()
	i.holder.close()
	if i.plan.mortal() {
		return errNotLeft
	}
	return nil
}

// Close takes the rules away and puts the sysctls back. It may be called
// again.
func (i *Installed) Close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil
	}
	i.closed = true
	defer i.lock.release()
	err := errors.Join(i.drop(), removePolicies(nil), putBack(i.changed))
	i.holder.close()
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	return nil
}
