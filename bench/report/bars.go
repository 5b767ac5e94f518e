package report

import (
	"fmt"

	"sluice/bench/compare"
)

// Measures of bars, in units.
const (
	barHeight   = 10
	barGap      = 9 // below a bar
	dotRadius   = 1.8
	whiskerHalf = 3
)

// bars is one metric of a work: for each peer its name, the number, and a bar below.
type bars struct {
	work   *compare.WorkResult
	metric compare.Metric
	looks  map[string]look
}

// barsOf is the figure of a work: a panel for each metric.
func barsOf(w *compare.WorkResult, all map[string]look) figure {
	f := figure{name: "work-" + w.Key, title: w.Title}
	want := []compare.Metric{compare.Rate, compare.ProxyCPU, compare.MachineCPU, compare.P99}
	if w.Memory {
		want = []compare.Metric{compare.Rate, compare.RSS, compare.ProxyCPU, compare.FDs}
	}
	for _, m := range want {
		for _, row := range w.Rows {
			if row.Summary[m].N > 0 {
				f.panels = append(f.panels, bars{w, m, all}.draw)
				break
			}
		}
	}
	return f
}

func (b bars) draw(width float64) *canvas {
	c := &canvas{w: width}
	better := "less is better"
	if b.metric == compare.Rate {
		better = "more is better"
	}
	c.text(0, large, letters{large, "ink", true, left}, b.work.MetricTitle(b.metric))
	c.text(0, large+lineHeight, letters{small, "faint", false, left}, better)
	most := 0.0
	for _, row := range b.work.Rows {
		most = max(most, row.Summary[b.metric].Max)
	}
	x := scale{high: most, to: width}
	if most == 0 {
		x.high = 1
	}
	y := float64(large + lineHeight + 8)
	for _, row := range b.work.Rows {
		y = b.row(c, row, y, x)
	}
	c.h = y
	return c
}

// row draws a peer below y and returns where the next one begins.
func (b bars) row(c *canvas, row compare.Row, y float64, x scale) float64 {
	l, s := b.looks[row.Peer], row.Summary[b.metric]
	name := letters{small, "ink", l.own, left}
	number := letters{small, "ink", false, right}
	text := b.number(row)
	top := y
	c.text(c.w, y+small, number, text)
	y = c.lines(0, y+small, name, wrap(row.Peer, c.w-widthOf(text, number)-8, name)) - lineHeight + 5
	if s.N > 0 {
		c.value(row.Peer+": "+b.spread(s)+b.ratio(row), 0, top, c.w, y+barHeight-top, func() { b.bar(c, row, y, x) })
	}
	return y + barHeight + barGap
}

// bar is a bar to the median, the whisker, and a dot for each round.
func (b bars) bar(c *canvas, row compare.Row, y float64, x scale) {
	s := row.Summary[b.metric]
	c.rect(0, y, x.at(s.Median), barHeight, b.looks[row.Peer].tone)
	if s.N < 2 {
		return
	}
	mid := y + barHeight/2.0
	for _, edge := range []struct {
		width float64
		tone  tone
	}{{3.4, "paper"}, {1.3, "ink"}} { // an edge keeps the whisker apart from the bar
		c.line(x.at(s.Min), mid, x.at(s.Max), mid, edge.width, edge.tone)
		for _, v := range []float64{s.Min, s.Max} {
			c.line(x.at(v), mid-whiskerHalf, x.at(v), mid+whiskerHalf, edge.width, edge.tone)
		}
	}
	for _, sample := range row.Samples {
		if v, ok := sample.Values[b.metric]; ok {
			c.dot(x.at(v), mid, dotRadius, "ink")
		}
	}
}

// number is what stands beside a peer's name: median, ratio, and ! after a fault.
func (b bars) number(row compare.Row) string {
	s := row.Summary[b.metric]
	if s.N == 0 {
		return "–"
	}
	text := b.work.Show(b.metric, s.Median) + b.ratio(row)
	if row.Faults() != "" {
		text += " !"
	}
	return text
}

func (b bars) ratio(row compare.Row) string {
	if r := row.Ratio[b.metric]; r.N > 0 && row.Peer != b.work.Base && b.metric != compare.FDs {
		return "  " + compare.Times(r.Median)
	}
	return ""
}

// spread writes a value with the least and the greatest of the rounds.
func (b bars) spread(s compare.Spread) string { return spreadText(b.work.Work, b.metric, s) }

func spreadText(w compare.Work, m compare.Metric, s compare.Spread) string {
	if s.N < 2 || s.Min == s.Max {
		return w.Show(m, s.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", w.Show(m, s.Median), w.Show(m, s.Min), w.Show(m, s.Max))
}
