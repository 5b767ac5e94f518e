//go:build linux

package e2e

import (
	"testing"
	"time"
)

const (
	// patience bounds each wait for something that ought to happen at once.
	patience = 15 * time.Second
	// pollPause is between two looks at a condition.
	pollPause = 5 * time.Millisecond
)

// until waits for cond to hold; the test ends when it does not within patience.
func until(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	untilWithin(tb, patience, what, cond)
}

func untilWithin(tb testing.TB, d time.Duration, what string, cond func() bool) {
	tb.Helper()
	if !eventually(d, cond) {
		tb.Fatalf("%s: not within %v", what, d)
	}
}

// always asserts that cond holds for all of d.
func always(tb testing.TB, d time.Duration, what string, cond func() bool) {
	tb.Helper()
	if eventually(d, func() bool { return !cond() }) {
		tb.Errorf("%s: no longer so within %v", what, d)
	}
}

// pass lets time go by, where time is what is tested.
func pass(d time.Duration) { eventually(d, func() bool { return false }) }

// eventually reports whether cond held at some look within d. It is the only
// place where time passes.
func eventually(d time.Duration, cond func() bool) bool {
	deadline := time.After(d)
	look := time.NewTicker(pollPause)
	defer look.Stop()
	for !cond() {
		select {
		case <-deadline:
			return cond()
		case <-look.C:
		}
	}
	return true
}
