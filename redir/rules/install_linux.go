package rules

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/nftables"
)

// Installed is the rules of a running sluice, who takes them away with Close.
// Its methods may be called from any goroutine of the network namespace.
type Installed struct {
	mu      sync.Mutex // guards what follows
	lock    *lock
	conn    *nftables.Conn
	plan    *Plan
	owner   string
	changed []Changed // sysctls, as the facts have them
	print   string    // of the table as it was written
	closed  bool

	routingTable atomic.Int64 // the policy's, for who listens to news
}

// Install puts the rules in place for as long as this process wants them. It
// replaces the leftovers of a dead sluice, and refuses with a *LivingError
// when another lives. When a step fails, the earlier ones are undone.
func Install(spec Spec) (*Installed, error) {
	return InstallFor(os.Getpid(), spec)
}

// InstallFor is Install in the name of another process, whose rules this one
// keeps.
func InstallFor(pid int, spec Spec) (*Installed, error) {
	return install(spec, fmt.Sprintf("pid %d", pid))
}

// Apply puts the rules in place to stay until Remove. Doing it again replaces
// them. The sysctls that should change and did not are returned.
func Apply(spec Spec) (unmet []Sysctl, err error) {
	i, err := install(spec, ownerOperator)
	if err != nil {
		return nil, err
	}
	defer i.lock.release()
	return i.Unmet(), nil
}

func install(spec Spec, owner string) (*Installed, error) {
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
	i := &Installed{lock: held, owner: owner, conn: newConn()}
	before, err := readTable(i.conn)
	switch {
	case err != nil:
	case before.exists && !before.ours:
		err = errForeign
	case before.ours && before.facts.Owner == ownerOperator && owner != ownerOperator:
		err = errOperator
	default:
		err = i.put(plan, before)
	}
	if err != nil {
		i.close()
		held.release()
		return nil, err
	}
	return i, nil
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
	before, err := readTable(i.conn)
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
	if i.plan == nil && before.exists {
		undo = append(undo, i.drop)
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

// write makes the table, and remembers how it looks.
func (i *Installed) write(plan *Plan, changed []Changed, counters []Counter) error {
	counts := map[string]Counter{}
	for _, c := range counters {
		counts[c.Name] = c
	}
	full := plan.withFacts(plan.facts(i.owner, changed))
	old, err := readTable(i.conn)
	if err == nil {
		err = i.writeMortal(plan, full, counts, old.exists)
	}
	if err != nil {
		return err
	}
	now, err := readTable(i.conn)
	i.print = now.print
	return err
}

// drop deletes the table if it is ours.
func (i *Installed) drop() error {
	now, err := readTable(i.conn)
	if err == nil && now.ours {
		err = deleteTable(i.conn, TableName)
	}
	return errors.Join(err, deleteTable(i.conn, stepTable)) // of one killed in the middle
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
	i.close()
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	return nil
}

// close ends the netlink connection, and with it a mortal table.
func (i *Installed) close() { _ = i.conn.CloseLasting() }
