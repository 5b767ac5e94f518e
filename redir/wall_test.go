package redir

import (
	"testing"
	"time"
)

// TestWallStaysWhileTheClockIsNotSet asks for one time again and again, between clocks
// that are read some moments apart.
func TestWallStaysWhileTheClockIsNotSet(t *testing.T) {
	var w wall
	begun := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	first := w.at(5000, 1e9, begun.Add(time.Second))
	if want := begun.Add(5000); !first.Equal(want) {
		t.Errorf("%v, want %v", first, want)
	}
	for _, late := range []time.Duration{0, time.Millisecond, -time.Millisecond, 40 * time.Millisecond} {
		if again := w.at(5000, 2e9, begun.Add(2*time.Second+late)); again != first {
			t.Errorf("%v, %v before", again, first)
		}
	}
	if set := w.at(5000, 3e9, begun.Add(time.Hour)); !set.Equal(begun.Add(time.Hour - 3*time.Second + 5000)) {
		t.Errorf("%v after the clock was set", set)
	}
}
