package rules

import (
	"errors"
	"fmt"
	"os"
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

	routingTable atomic.Int64          // the policy's, for who listens to news
	unmended     atomic.Pointer[error] // what Watch could not put right; nil: nothing
}

// Install puts the rules in place for as long as this process wants them, and
// owns the table where the kernel can (Unowned). What a dead sluice left, or
// one that has called Leave, is taken over: kept where it is what the Spec comes
// to, else replaced without a gap. It refuses with a *LivingError when another
// lives. When a step fails, the earlier ones are undone, but that a leftover
// table keeps the rules of one Spec or the other.
func Install(spec Spec) (*Installed, error) {
	return InstallFor(os.Getpid(), spec)
}

// InstallFor is Install in the name of another process, whose rules this one
// keeps.
func InstallFor(pid int, spec Spec) (*Installed, error) {
	return install(spec, fmt.Sprintf("pid %d", pid), canPersist)
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
