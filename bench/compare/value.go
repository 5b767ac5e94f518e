package compare

import (
	"fmt"
	"math"
	"strings"
)

// Show writes a value of a metric of a work for people: "48.1 k/s", "23.4 µs",
// "0.17 s", "12.3 MB".
func (w Work) Show(m Metric, v float64) string {
	switch m {
	case Rate:
		if w.Unit == gigabyte {
			return significant(v) + " GB/s"
		}
		return scaled(v, 1000, "", "k", "M", "G") + "/s"
	case ProxyCPU, MachineCPU:
		if w.Unit == gigabyte {
			return significant(v) + " s"
		}
		return Time(v)
	case RSS, PSS:
		return scaled(v, 1000, " B", " kB", " MB", " GB")
	case FDs:
		return fmt.Sprintf("%.0f", v)
	case Lost:
		return significant(100*v) + "%"
	}
	return Time(v)
}

// Time writes seconds.
func Time(v float64) string { return scaled(v*1e9, 1000, " ns", " µs", " ms", " s") }

// scaled writes v with three digits and the greatest unit that leaves at least 1.
func scaled(v, step float64, units ...string) string {
	i := 0
	for ; i < len(units)-1 && math.Abs(v) >= step; i++ {
		v /= step
	}
	return significant(v) + units[i]
}

// significant writes three significant digits without an exponent.
func significant(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return fmt.Sprintf("%.*f", max(0, min(digits, 6)), v)
}

// MetricTitle names a metric of a work.
func (w Work) MetricTitle(m Metric) string {
	switch m {
	case Rate:
		if w.Unit == gigabyte {
			return "throughput"
		}
		return w.Unit + "s per second"
	case ProxyCPU:
		return "proxy CPU per " + w.Unit
	case MachineCPU:
		return "machine CPU per " + w.Unit
	case RSS, PSS:
		return "memory (" + strings.ToUpper(string(m)) + ")"
	case FDs:
		return "open files"
	case Lost:
		return "lost"
	}
	return "latency " + string(m)
}

// name is the work's key, with x where it is part of a sweep.
func (w Work) name() string {
	if w.Sweep == "" {
		return w.Key
	}
	return fmt.Sprintf("%s %g", w.Key, w.X)
}

// describe is a sample in one line.
func (w Work) describe(peer string, s Sample) string {
	parts := []string{peer}
	for _, m := range []Metric{Rate, ProxyCPU, MachineCPU, P50, P99, RSS} {
		if v, ok := s.Values[m]; ok {
			parts = append(parts, fmt.Sprintf("%s %s", m, w.Show(m, v)))
		}
	}
	if s.Fault != "" {
		parts = append(parts, "FAULT "+s.Fault)
	}
	return strings.Join(parts, "  ")
}
