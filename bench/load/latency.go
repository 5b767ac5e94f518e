package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Range and precision of a histogram: 100 ns to 100 s, three digits.
const (
	leastNS = 100
	mostNS  = int64(100 * time.Second)
	digits  = 3
	usPerNS = 1e-3
)

// Latency sums up a histogram, in microseconds.
type Latency struct {
	Count       int64        `json:"count"`
	MinUS       float64      `json:"min_us"`
	MeanUS      float64      `json:"mean_us"`
	StdDevUS    float64      `json:"stddev_us"`
	P50US       float64      `json:"p50_us"`
	P90US       float64      `json:"p90_us"`
	P99US       float64      `json:"p99_us"`
	P999US      float64      `json:"p99_9_us"`
	P9999US     float64      `json:"p99_99_us"`
	MaxUS       float64      `json:"max_us"`
	Percentiles []Percentile `json:"percentiles"` // the whole curve, for plots
}

// Percentile is one point of the curve: this share of values is at most US.
type Percentile struct {
	Percent float64 `json:"percent"`
	US      float64 `json:"us"`
}

// recorder is a histogram that is made at its first value. One goroutine owns it.
type recorder struct{ h *hdrhistogram.Histogram }

// record takes a latency in nanoseconds; what is out of range counts as its end.
func (r *recorder) record(ns int64) {
	if r.h == nil {
		r.h = hdrhistogram.New(leastNS, mostNS, digits)
	}
	_ = r.h.RecordValue(min(max(ns, leastNS), mostNS)) // cannot fail within the range
}

func (r *recorder) merge(o *recorder) {
	switch {
	case o.h == nil:
	case r.h == nil:
		r.h = hdrhistogram.Import(o.h.Export())
	default:
		r.h.Merge(o.h)
	}
}

// summary is nil where nothing was recorded.
func (r *recorder) summary() *Latency {
	if r.h == nil || r.h.TotalCount() == 0 {
		return nil
	}
	us := func(percent float64) float64 { return float64(r.h.ValueAtPercentile(percent)) * usPerNS }
	l := &Latency{
		Count: r.h.TotalCount(), MinUS: float64(r.h.Min()) * usPerNS, MaxUS: float64(r.h.Max()) * usPerNS,
		MeanUS: r.h.Mean() * usPerNS, StdDevUS: r.h.StdDev() * usPerNS,
		P50US: us(50), P90US: us(90), P99US: us(99), P999US: us(99.9), P9999US: us(99.99),
	}
	for _, b := range r.h.CumulativeDistribution() {
		l.Percentiles = append(l.Percentiles, Percentile{Percent: b.Quantile, US: float64(b.ValueAt) * usPerNS})
	}
	return l
}
