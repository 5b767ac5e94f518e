package report

import (
	"fmt"
	"strconv"

	"sluice/bench/compare"
)

// sweepFigures are the figures of one sweep: what grows, and what it costs.
func sweepFigures(s compare.Series, all map[string]look) []figure {
	w := s.Points[0]
	show := func(m compare.Metric) func(float64) string {
		return func(v float64) string { return w.Show(m, v) }
	}
	type view struct {
		name, title, better string
		metric              compare.Metric
		show                func(float64) string
		bits                bool // rate times size
	}
	views := []view{
		{"rate", w.MetricTitle(compare.Rate), "more is better", compare.Rate, show(compare.Rate), false},
		{"cpu", w.MetricTitle(compare.ProxyCPU), "less is better", compare.ProxyCPU, show(compare.ProxyCPU), false},
		{"machine", w.MetricTitle(compare.MachineCPU), "less is better; load tools included", compare.MachineCPU, show(compare.MachineCPU), false},
		{"p99", w.MetricTitle(compare.P99), "less is better", compare.P99, show(compare.P99), false},
		{"memory", w.MetricTitle(compare.RSS), "less is better", compare.RSS, show(compare.RSS), false},
	}
	if s.Sweep == compare.SweepSize {
		views = append(views, view{"bits", "payload each way", "more is better", compare.Rate, showBits, true})
	}
	var figures []figure
	for _, v := range views {
		k := curves{title: v.title, better: v.better, xTitle: compare.SweepTitle(s.Sweep), xLog: s.Sweep != compare.SweepReactors,
			showY: v.show, looks: all, xTicks: valueTicks(xs(s), showCount)}
		for _, peer := range s.Peers() {
			l := curve{peer: peer}
			for _, p := range s.Points {
				scale := 1.0
				if v.bits {
					scale = 8 * p.X
				}
				if row := p.Row(peer); row != nil {
					if pt, ok := pointOf(p.X, row.Summary[v.metric], scale); ok {
						l.points = append(l.points, pt)
					}
				}
			}
			if len(l.points) > 0 {
				k.lines = append(k.lines, l)
			}
		}
		if len(k.lines) > 0 {
			figures = append(figures, figure{name: s.Key + "-" + v.name, title: s.Title + ": " + v.title,
				panels: []panel{k.draw}})
		}
	}
	return figures
}

func xs(s compare.Series) []float64 {
	var list []float64
	for _, p := range s.Points {
		list = append(list, p.X)
	}
	return list
}

// showCount writes 3000 as 3k and 65507 as 65.5k.
func showCount(v float64) string {
	if v < 1000 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return tidy(fmt.Sprintf("%.1fk", v/1000))
}

func showBits(v float64) string {
	switch {
	case v >= 1e9:
		return tidy(fmt.Sprintf("%.2f Gbit/s", v/1e9))
	case v >= 1e6:
		return tidy(fmt.Sprintf("%.1f Mbit/s", v/1e6))
	}
	return tidy(fmt.Sprintf("%.1f kbit/s", v/1e3))
}
