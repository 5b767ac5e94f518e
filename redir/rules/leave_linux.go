package rules

import "fmt"

// Leave ends the ownership, and leaves the rules in force for the process that
// takes them over by Install. It takes the place of Close. Rules that would end
// with this process are made to stay, and fail closed until they are taken over.
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
	i.close()
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
	before, err := readTable(i.conn)
	if err != nil {
		return err
	}
	before.facts.Sysctls = i.changed
	return i.put(plan, before)
}
