package compare

import (
	"math"
	"slices"
)

// Spread sums up the values of several rounds. The quartiles lie on straight lines
// between the sorted values (Hyndman and Fan's type 7).
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Q1     float64 `json:"q1"`
	Q3     float64 `json:"q3"`
	N      int     `json:"n"`
}

// SpreadOf sums up some values; the zero Spread for none.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	v := slices.Sorted(slices.Values(values))
	return Spread{Median: quantile(v, 0.5), Min: v[0], Max: v[len(v)-1],
		Q1: quantile(v, 0.25), Q3: quantile(v, 0.75), N: len(v)}
}

// quantile is the value below which a share q of the sorted values lies.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// summarize is the spread of each metric over the samples that have it.
func summarize(samples []Sample) map[Metric]Spread {
	values := map[Metric][]float64{}
	for _, s := range samples {
		for m, v := range s.Values {
			values[m] = append(values[m], v)
		}
	}
	return spreads(values)
}

// Ratios divides each value by the base's of the same round and sums up the
// quotients: what both peers met in a round cancels out. A round in which one of
// them has no value, or the base has zero, is left out.
func Ratios(samples, base []Sample) map[Metric]Spread {
	values := map[Metric][]float64{}
	for _, s := range samples {
		i := slices.IndexFunc(base, func(b Sample) bool { return b.Round == s.Round })
		if i < 0 {
			continue
		}
		for m, v := range s.Values {
			if b := base[i].Values[m]; b != 0 {
				values[m] = append(values[m], v/b)
			}
		}
	}
	return spreads(values)
}

func spreads(values map[Metric][]float64) map[Metric]Spread {
	all := make(map[Metric]Spread, len(values))
	for m, v := range values {
		all[m] = SpreadOf(v)
	}
	return all
}
