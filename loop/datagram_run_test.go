package loop

import "testing"

func TestRunTakes(t *testing.T) {
	for _, c := range []struct {
		name             string
		first, segment   int
		length, segment2 int
		want             bool
	}{
		{"equal", 1200, 1200, 1200, 1200, true},
		{"shorter last", 1200, 1200, 7, 7, true},
		{"longer", 1200, 1200, 1201, 1201, false},
		{"after a shorter last", 2407, 1200, 1200, 1200, false},
		{"merged with equal segments", 2400, 1200, 3607, 1200, true},
		{"merged with shorter segments", 2400, 1200, 1400, 700, false},
		{"nothing after something", 1200, 1200, 0, 0, false},
		{"something after nothing", 0, 0, 1200, 1200, false},
		{"up to 64", 63 * 100, 100, 100, 100, true},
		{"beyond 64", 64 * 100, 100, 100, 100, false},
		{"beyond an IP packet", 50 * 1300, 1300, 1300, 1300, false},
	} {
		r := startRun(c.first, c.segment, maxRun4)
		if got := r.takes(c.length, c.segment2); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range [][4]int{ // length, segment, most, want
		{0, 0, maxRun4, 0},
		{65507, 65507, maxRun4, 65507},
		{100 * 500, 500, maxRun4, 64 * 500},
		{65527, 1400, maxRun6, 46 * 1400},
		{65507, 1400, maxRun4, 46 * 1400},
		{2000, 1400, maxRun4, 2000},
	} {
		if got := cut(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("cut(%d, %d, %d) = %d, want %d", c[0], c[1], c[2], got, c[3])
		}
	}
}
