package rules

import "fmt"

// Leave ends the ownership and leaves the rules in force, for a process that
// calls Install next: until then they are an orphan, which a flush takes away,
// as it does where they never had an owner (Unowned). Rules that would end with
// this process are made to stay first, and fail closed until they are taken over.
// After it, no method may be called but Close, which does nothing then; after an
// error, all goes on.
func (i *Installed) Leave() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return nil
	}
	if i.plan.mortal() {
		if err := i.outlive(); err != nil {
			return fmt.Errorf("rules: %w", err)
		}
	}
	i.closed = true
	i.holder.close()
	i.lock.release()
	return nil
}

// outlive makes the table one that does not end with this process.
func (i *Installed) outlive() error {
	spec := i.plan.Spec
	spec.Fail = Closed
	plan, err := NewPlan(spec)
	if err != nil {
		return err
	}
	before, err := readTable(newConn())
	if err != nil {
		return err
	}
	before.facts.Sysctls = i.changed
	return i.put(plan, before)
}
