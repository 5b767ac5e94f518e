package outbound

import (
	"errors"
	"sync"
	"testing"
	"time"
)

func TestHealth(t *testing.T) {
	var told []bool
	o := &Outbound{Spec: Spec{Kind: Socks, Tag: "s"}}
	o.health.changed = func(up bool, _ error) { told = append(told, up) }
	now, why := int64(time.Hour), errors.New("refused")
	fail := func(n int) {
		for range n {
			o.Failed(now, why)
		}
	}
	usable := func(want bool, when string) {
		t.Helper()
		if got := o.Usable(now); got != want {
			t.Fatalf("%s: usable %v", when, got)
		}
	}
	fail(2)
	o.Reached(now)
	fail(2)
	usable(true, "two in a row, twice")
	fail(1)
	usable(false, "three in a row")
	fail(100) // of flows that began before
	pause := pauseFirst
	for range 7 {
		now += pause - 1
		usable(false, "a moment before the pause is over")
		now++
		usable(true, "after the pause")
		usable(false, "beside one that tries")
		fail(1)
		pause = min(2*pause, pauseMost)
	}
	if pause != pauseMost {
		t.Errorf("the pause has grown to %v", time.Duration(pause))
	}
	now += pause
	usable(true, "after the longest pause")
	now += pause // it never said what became of it
	usable(true, "after one that tried and was silent")
	o.Reached(now)
	usable(true, "back")
	usable(true, "back, for all")
	fail(3)
	now += pauseFirst
	usable(true, "down again, after the first pause")
	if want := []bool{false, true, false}; !equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

func equal(a, b []bool) bool {
	for i := range a {
		if len(a) != len(b) || a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func TestDirectHasNoHealth(t *testing.T) {
	o := &Outbound{Spec: direct()}
	for range 10 {
		o.Failed(1, errors.New("refused"))
	}
	if o.IsDown() || !o.Usable(1) {
		t.Error("it is down")
	}
}

// TestHealthOfManyThreads asserts that each change is told once, in turn.
func TestHealthOfManyThreads(t *testing.T) {
	up, changes := true, 0
	o := &Outbound{Spec: Spec{Kind: Socks}}
	o.health.changed = func(to bool, _ error) {
		if to == up {
			t.Error("told twice")
		}
		up, changes = to, changes+1
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for now := range int64(5000) {
				if o.Usable(now * int64(time.Millisecond)); (now/10+int64(i))%2 == 0 {
					o.Failed(now*int64(time.Millisecond), nil)
				} else {
					o.Reached(now)
				}
			}
		})
	}
	all.Wait()
	o.Reached(0)
	if !up || changes == 0 || o.IsDown() {
		t.Errorf("up %v after %d changes", up, changes)
	}
}

func TestUsableDoesNotAllocate(t *testing.T) {
	o := &Outbound{Spec: Spec{Kind: Socks}}
	if n := testing.AllocsPerRun(100, func() {
		o.Usable(1)
		o.Reached(1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
