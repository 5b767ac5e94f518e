package compare

import (
	"math"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{nil, Spread{}},
		{[]float64{7}, Spread{7, 7, 7, 7, 7, 1}},
		{[]float64{3, 1}, Spread{2, 1, 3, 1.5, 2.5, 2}},
		{[]float64{5, 1, 4, 2, 3}, Spread{3, 1, 5, 2, 4, 5}},
	} {
		if got := SpreadOf(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
	}
}

// A machine that is half as fast in one round disturbs the medians, not the ratios.
func TestRatiosArePairedByRound(t *testing.T) {
	at := func(round int, v float64) Sample {
		return Sample{Round: round, Values: map[Metric]float64{Rate: v}}
	}
	base := []Sample{at(0, 100), at(1, 50), at(2, 100), at(4, 0)}
	peer := []Sample{at(2, 120), at(1, 60), at(0, 120), at(3, 999), at(4, 5)}
	got := Ratios(peer, base)[Rate]
	if got.N != 3 || math.Abs(got.Min-1.2) > 1e-9 || math.Abs(got.Max-1.2) > 1e-9 {
		t.Errorf("%+v, want 1.2 thrice", got)
	}
}

func TestVerdicts(t *testing.T) {
	row := func(peer string, rate, p50 float64) Row {
		return Row{Peer: peer, Samples: []Sample{{Values: map[Metric]float64{Rate: rate, P50: p50}}}}
	}
	w := WorkResult{Rows: []Row{row("s", 130, 9), row(HAProxy, 100, 10), row(Direct, 200, 8)}}
	for _, c := range []struct {
		target Target
		want   string
	}{
		{Target{Metric: Rate, Yardstick: HAProxy, AtLeast: 1.1, Aim: 1.25}, AimReached},
		{Target{Metric: Rate, Yardstick: HAProxy, AtLeast: 1.1, Aim: 1.5}, Enough},
		{Target{Metric: Rate, Yardstick: HAProxy, AtLeast: 1.4}, Below},
		{Target{Metric: P50, Yardstick: HAProxy, AtLeast: 1, Aim: 1.2, AimYardstick: Direct}, AimReached},
		{Target{Metric: P50, Yardstick: HAProxy, AtLeast: 1, Aim: 1.05, AimYardstick: Direct}, Enough},
		{Target{Metric: P50, Yardstick: HAProxy, AtLeast: 0.8, Aim: 1.2, AimYardstick: Direct}, Below},
		{Target{Metric: Rate, Yardstick: SingBox, AtLeast: 1}, Unknown},
		{Target{Metric: RSS, Yardstick: HAProxy, AtLeast: 1}, Unknown},
	} {
		if got := w.judge(c.target, "s"); got.Verdict != c.want {
			t.Errorf("%+v: %+v, want %s", c.target, got, c.want)
		}
	}
}

func TestEveryTargetHasItsWork(t *testing.T) {
	keys := map[string]bool{}
	for _, w := range Works() {
		if keys[w.Key] {
			t.Errorf("two works of the key %s", w.Key)
		}
		keys[w.Key] = true
	}
	for _, target := range Targets() {
		if !keys[target.Work] {
			t.Errorf("target of no work: %+v", target)
		}
	}
}

func TestShow(t *testing.T) {
	bulk, http := Work{Unit: gigabyte}, Work{Unit: request}
	for _, c := range []struct{ got, want string }{
		{bulk.Show(Rate, 1.234), "1.23 GB/s"}, {bulk.Show(ProxyCPU, 0.1512), "0.151 s"},
		{http.Show(Rate, 48123), "48.1k/s"}, {http.Show(ProxyCPU, 12.6e-6), "12.6 µs"},
		{http.Show(RSS, 12.4e6), "12.4 MB"}, {http.Show(Lost, 0.0115), "1.15%"}, {http.Show(P99, 0), "0 ns"},
		{http.Show(Rate, 7), "7.00/s"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
