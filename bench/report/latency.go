package report

import (
	"math"
	"strconv"

	"sluice/bench/compare"
)

// latencyFigure is the curve of percentiles of one work, its x axis counting nines;
// false where the work has none.
func latencyFigure(w *compare.WorkResult, all map[string]look) (figure, bool) {
	nines := func(percent float64) float64 { return -math.Log10(1 - percent/100) }
	k := curves{title: w.Title, better: "latency by percentile; less is better", xTitle: "percentile",
		showY: compare.Time, looks: all}
	longest := 0
	for _, row := range w.Rows {
		l := curve{peer: row.Peer}
		for _, p := range compare.Percentiles() {
			if pt, ok := pointOf(nines(p.Percent), row.Summary[p.Metric], 1); ok {
				l.points = append(l.points, pt)
			}
		}
		if len(l.points) > 1 {
			k.lines = append(k.lines, l)
			longest = max(longest, len(l.points))
		}
	}
	var at []float64
	labels := map[float64]string{}
	for _, p := range compare.Percentiles()[:longest] {
		x := nines(p.Percent)
		at = append(at, x)
		labels[x] = strconv.FormatFloat(p.Percent, 'f', -1, 64)
	}
	k.xTicks = valueTicks(at, func(v float64) string { return labels[v] })
	return figure{name: "latency-" + w.Key, title: "latency percentiles: " + w.Title,
		panels: []panel{k.draw}}, len(k.lines) > 0
}
