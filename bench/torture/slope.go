package torture

import (
	"math"
	"slices"
	"time"
)

// point is a value of a series at a time since its begin.
type point struct {
	at    time.Duration
	value float64
}

// series is what was read of one thing, in the order of time.
type series []point

// windows are the medians of stretches of that length, in the middle of each; a
// stretch without a value gives none.
func (s series) windows(length time.Duration) series {
	var out series
	for i := 0; i < len(s); {
		n := s[i].at / length
		var values []float64
		for ; i < len(s) && s[i].at/length == n; i++ {
			values = append(values, s[i].value)
		}
		out = append(out, point{n*length + length/2, median(values)})
	}
	return out
}

// after leaves out what came before that time.
func (s series) after(begin time.Duration) series {
	i, _ := slices.BinarySearchFunc(s, begin, func(p point, t time.Duration) int { return int(p.at - t) })
	return s[i:]
}

// slope is how much the series changes within per, as a share of its median: the
// median of the slopes through all pairs of points (Theil and Sen), which a third of
// points gone astray does not move. 0 for fewer than two points.
func (s series) slope(per time.Duration) float64 {
	var slopes, values []float64
	for i, a := range s {
		values = append(values, a.value)
		for _, b := range s[i+1:] {
			if b.at > a.at {
				slopes = append(slopes, (b.value-a.value)/(b.at-a.at).Seconds())
			}
		}
	}
	level := median(values)
	if len(slopes) == 0 || level == 0 {
		return 0
	}
	return median(slopes) * per.Seconds() / level
}

// median is the middle value; the mean of the two in the middle for an even number,
// NaN for none.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(n-1)/2] + v[n/2]) / 2
}

// quantile is the least value that a share q of the values does not exceed; NaN for none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	return v[max(0, min(int(math.Ceil(q*float64(len(v))))-1, len(v)-1))]
}
