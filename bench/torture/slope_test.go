package torture

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// line is n points a second apart, of a value that grows by rise a second.
func line(n int, level, rise float64) series {
	var s series
	for i := range n {
		s = append(s, point{time.Duration(i) * time.Second, level + rise*float64(i)})
	}
	return s
}

func TestSlope(t *testing.T) {
	noisy := line(600, 100, 0.01)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noisy {
		noisy[i].value += r.NormFloat64()
		if i%4 == 0 {
			noisy[i].value *= 50 // gone astray
		}
	}
	for name, c := range map[string]struct {
		series
		want, off float64
	}{
		"flat":         {line(600, 100, 0), 0, 0},
		"rising":       {line(601, 97, 0.01), 0.06, 1e-9},
		"falling":      {line(601, 103, -0.01), -0.06, 1e-9},
		"gone astray":  {noisy.windows(20 * time.Second), 0.06, 0.02},
		"one point":    {line(1, 100, 1), 0, 0},
		"no point":     {nil, 0, 0},
		"level of 0":   {line(10, 0, 0), 0, 0},
		"one instant":  {series{{time.Second, 1}, {time.Second, 2}}, 0, 0},
		"half the run": {line(301, 98.5, 0.01), 0.06, 1e-9},
	} {
		if got := c.slope(10 * time.Minute); math.Abs(got-c.want) > c.off {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestWindows(t *testing.T) {
	s := series{{0, 1}, {time.Second, 3}, {2 * time.Second, 100}, {25 * time.Second, 7}}
	want := series{{5 * time.Second, 3}, {25 * time.Second, 7}}
	got := s.windows(10 * time.Second)
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%v, want %v", got, want)
	}
	if got := s.after(2 * time.Second); len(got) != 2 || got[0].value != 100 {
		t.Errorf("after two seconds: %v", got)
	}
	if got := s.after(time.Hour); len(got) != 0 {
		t.Errorf("after the end: %v", got)
	}
}

func TestQuantiles(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.25: 1, 0.5: 2, 0.99: 4, 1: 4} {
		if got := quantile(values, q); got != want {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if got := median(values); got != 2.5 {
		t.Errorf("median %v", got)
	}
	if !math.IsNaN(median(nil)) || !math.IsNaN(quantile(nil, 0.5)) {
		t.Error("none of no values")
	}
}
