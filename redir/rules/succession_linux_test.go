package rules

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// needPersist skips what one table with an owner is there for.
func needPersist(t *testing.T) {
	t.Helper()
	h, err := newHolder(canPersist)
	if err != nil {
		t.Skip("tables need root")
	}
	defer h.close()
	if h.can != canPersist {
		t.Skip("a table that outlives its owner needs Linux 6.9")
	}
}

// TestSuccessor: rules change hands while traffic flows. Where both want the
// same, no rule changes; else they are replaced. None is let by, none is lost.
func TestSuccessor(t *testing.T) {
	for _, can := range []ability{canPersist, canOwn, cannotOwn} {
		t.Run(fmt.Sprint(can), func(t *testing.T) {
			c := newClosed(t)
			spec := closedSpec()
			become := func(spec Spec) (i *Installed) {
				c.gateway.do(func() {
					var err error
					if i, err = install(spec, "pid 1", can); err != nil {
						t.Fatal(err)
					}
				})
				return i
			}
			leave := func(i *Installed) {
				c.gateway.do(func() {
					if err := i.Leave(); err != nil {
						t.Error(err)
					}
				})
			}
			now := become(spec)
			if unowned := now.Unowned() != ""; unowned != (can == cannotOwn) {
				t.Errorf("unowned: %v", unowned)
			}
			stop := c.load()
			defer stop()
			before := c.handles()
			for range 5 {
				leave(now)
				now = become(spec)
			}
			if diff := differ(before, c.handles()); diff != "" {
				t.Errorf("an equal successor changed:\n%s", diff)
			}
			for n := range 5 {
				leave(now)
				spec.Dports = []PortRange{{servicePort, servicePort}, {witnessPort, witnessPort}, {uint16(1000 + n), uint16(1000 + n)}}
				now = become(spec)
			}
			if !strings.Contains(c.handles(), "1004") {
				t.Errorf("not replaced:\n%s", c.handles())
			}
			stop()
			c.none("succession")
			c.proxied("succession")
			c.remove(now)
		})
	}
}

// TestKilledThenFlushed: a process keeps the rules of a sluice that was killed.
// No flush opens the gateway, and the next sluice gets them at once.
func TestKilledThenFlushed(t *testing.T) {
	c := newClosed(t)
	i := c.install(closedSpec())
	held := make(chan error)
	c.gateway.thread().calls <- func() { held <- i.Hold(context.Background()) }
	wait(t, "the holder to listen", func() bool {
		return strings.Contains(c.gateway.sh("ss -xlH"), "@sluice-rules")
	})
	c.stopProxy()
	stop := c.load()
	defer stop()
	for range 20 {
		c.gateway.sh(flush)
	}
	c.none("kill and flush")
	c.startProxy()
	next := c.install(closedSpec())
	if err := <-held; err != nil {
		t.Error(err)
	}
	c.proxied("the next start")
	stop()
	c.none("the next start")
	c.remove(next)
}

// TestHoldEnds with its context, and the rules stay.
func TestHoldEnds(t *testing.T) {
	n := newNetns(t)
	n.do(func() {
		i, err := Install(Spec{TCPPort: 1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := i.Hold(ctx); err != nil {
			t.Error(err)
		}
		if status, err := ReadStatus(); err != nil || !status.Complete() || status.Living {
			t.Errorf("status: %+v, %v", status, err)
		}
		if _, err := Remove(); err != nil {
			t.Error(err)
		}
	})
}

// TestOwnedByOthers: who finds a table of ours in another's hand says whose.
func TestOwnedByOthers(t *testing.T) {
	needPersist(t)
	n := newNetns(t)
	before := n.state()
	n.do(func() {
		i, err := Install(Spec{TCPPort: 1})
		if err != nil {
			t.Fatal(err)
		}
		i.lock.release() // another program would have no lock of ours
		i.mu.Lock()
		facts := i.plan.facts("pid 999999999", nil)
		err = i.holder.writeFacts(facts)
		i.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("pid %d, program ", os.Getpid())
		for what, try := range map[string]func() error{
			"install": func() error { _, err := Install(Spec{TCPPort: 2}); return err },
			"apply":   func() error { _, err := Apply(Spec{TCPPort: 2}); return err },
			"remove":  func() error { _, err := Remove(); return err },
		} {
			var living *LivingError
			if err := try(); !errors.As(err, &living) || !strings.HasPrefix(living.Owner, want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if text := mustRun(t, "nft list table inet sluice"); !strings.Contains(text, "tproxy to :1 ") {
			t.Errorf("changed:\n%s", text)
		}
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	if diff := differ(before, n.state()); diff != "" {
		t.Errorf("left:\n%s", diff)
	}
}

// TestKilledInTheMiddle: whatever moment of a replacement a process dies at, the
// next one takes over without a gap.
func TestKilledInTheMiddle(t *testing.T) {
	needPersist(t)
	for name, die := range map[string]func(h *holder, step, whole table) error{
		"no table yet": func(h *holder, step, whole table) error { return h.create(TableName, flagsHeld) },
		"stand-in made": func(h *holder, step, whole table) error {
			return errors.Join(h.write(TableName, whole, nil, flagsHeld), h.write(StepTable, step, nil, flagsHeld))
		},
		"stand-in alone": func(h *holder, step, whole table) error { return h.write(StepTable, step, nil, flagsHeld) },
		"stand-in and a shell": func(h *holder, step, whole table) error {
			return errors.Join(h.write(StepTable, step, nil, flagsHeld), h.create(TableName, flagsHeld))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClosed(t)
			first := c.install(closedSpec()) // leaves the routing
			c.gateway.do(func() {
				if err := errors.Join(first.Leave(), deleteTable(newConn(), TableName)); err != nil {
					t.Fatal(err)
				}
				h, err := newHolder(canPersist)
				if err != nil {
					t.Fatal(err)
				}
				plan, _ := NewPlan(closedSpec())
				whole := plan.withFacts(plan.facts("pid 1", nil))
				if err := die(h, plan.table, whole); err != nil {
					t.Fatal(err)
				}
				h.close()
			})
			stop := func() {}
			if name != "no table yet" {
				stop = c.load()
			}
			i := c.install(closedSpec())
			c.proxied("taking over")
			stop()
			c.none("taking over")
			if text := c.gateway.sh("nft list tables"); strings.Contains(text, "sluice-") {
				t.Errorf("left:\n%s", text)
			}
			c.remove(i)
		})
	}
}
