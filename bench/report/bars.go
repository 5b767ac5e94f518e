package report

import (
	"fmt"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"sluice/bench/compare"
)

// Measures of bars, in points.
const (
	rowHeight    = 19
	barHeight    = 11
	barsTop      = 34 // room for the titles of the panels
	barsBottom   = 4
	barLabel     = 74 // room for the number beside a bar
	barGap       = 14 // between panels
	minBarRoom   = 30
	nameRoom     = 10
	dotRadius    = 1.5
	whiskerHalf  = 2.5
	panelsAtMost = 4
)

// bars is one work: a panel for each metric, a row for each peer.
type bars struct {
	work    *compare.WorkResult
	metrics []compare.Metric
	looks   map[string]look
}

// barsOf is the figure of a work.
func barsOf(w *compare.WorkResult, all map[string]look) figure {
	b := bars{work: w, looks: all}
	want := []compare.Metric{compare.Rate, compare.ProxyCPU, compare.MachineCPU, compare.P99}
	if w.Memory {
		want = []compare.Metric{compare.Rate, compare.RSS, compare.ProxyCPU, compare.FDs}
	}
	for _, m := range want {
		for _, row := range w.Rows {
			if row.Summary[m].N > 0 {
				b.metrics = append(b.metrics, m)
				break
			}
		}
	}
	return figure{name: "work-" + w.Key, title: w.Title, w: fullWidth,
		h:    vg.Points(barsTop + barsBottom + rowHeight*float64(len(w.Rows))),
		draw: b.draw}
}

func (b bars) draw(c draw.Canvas) {
	names := words(9.5, ink(), draw.XRight, draw.YCenter)
	gutter := vg.Points(0)
	for _, row := range b.work.Rows {
		gutter = max(gutter, bold(names).Width(row.Peer))
	}
	gutter += vg.Points(nameRoom)
	for i, row := range b.work.Rows {
		style := names
		if b.looks[row.Peer].own {
			style = bold(names)
		}
		c.FillText(style, vg.Point{X: c.Min.X + gutter - vg.Points(nameRoom/2), Y: b.y(c, i)}, row.Peer)
	}
	width := (c.Max.X - c.Min.X - gutter) / vg.Length(max(len(b.metrics), 3))
	for i, m := range b.metrics {
		left := c.Min.X + gutter + width*vg.Length(i)
		b.panel(c, m, left, left+width-vg.Points(barGap))
	}
}

// y is the middle of row i.
func (b bars) y(c draw.Canvas, i int) vg.Length {
	return c.Max.Y - vg.Points(barsTop+rowHeight*(float64(i)+0.5))
}

// panel draws one metric between left and right.
func (b bars) panel(c draw.Canvas, m compare.Metric, left, right vg.Length) {
	better := "less is better"
	if m == compare.Rate {
		better = "more is better"
	}
	c.FillText(bold(words(9.5, ink(), draw.XLeft, draw.YTop)), vg.Point{X: left, Y: c.Max.Y - vg.Points(3)}, b.work.MetricTitle(m))
	c.FillText(words(8, faint(), draw.XLeft, draw.YTop), vg.Point{X: left, Y: c.Max.Y - vg.Points(16)}, better)
	most := 0.0
	for _, row := range b.work.Rows {
		most = max(most, row.Summary[m].Max)
	}
	if most == 0 {
		most = 1
	}
	room := max(right-left-vg.Points(barLabel), vg.Points(minBarRoom))
	x := func(v float64) vg.Length { return left + room*vg.Length(v/most) }
	for i, row := range b.work.Rows {
		b.row(c, row, m, b.y(c, i), x)
	}
	n := len(b.work.Rows)
	c.StrokeLine2(hair(faint()), left, b.y(c, 0)+vg.Points(rowHeight/2), left, b.y(c, n-1)-vg.Points(rowHeight/2))
}

// row draws a bar to the median, the whisker, a dot for each round, and the number.
func (b bars) row(c draw.Canvas, row compare.Row, m compare.Metric, y vg.Length, x func(float64) vg.Length) {
	label := words(8.5, ink(), draw.XLeft, draw.YCenter)
	s := row.Summary[m]
	if s.N == 0 {
		label.Color = faint()
		c.FillText(label, vg.Point{X: x(0) + vg.Points(4), Y: y}, "–")
		return
	}
	l := b.looks[row.Peer]
	half := vg.Points(barHeight / 2.0)
	c.FillPolygon(l.color, []vg.Point{{X: x(0), Y: y - half}, {X: x(s.Median), Y: y - half}, {X: x(s.Median), Y: y + half}, {X: x(0), Y: y + half}})
	if s.N > 1 {
		for _, w := range []float64{3, 1.2} { // a white edge keeps the whisker apart from the bar
			line := draw.LineStyle{Color: paper(), Width: vg.Points(w)}
			if w < 2 {
				line.Color = ink()
			}
			c.StrokeLine2(line, x(s.Min), y, x(s.Max), y)
			for _, v := range []float64{s.Min, s.Max} {
				c.StrokeLine2(line, x(v), y-vg.Points(whiskerHalf), x(v), y+vg.Points(whiskerHalf))
			}
		}
		for _, sample := range row.Samples {
			if v, ok := sample.Values[m]; ok {
				c.DrawGlyph(draw.GlyphStyle{Color: ink(), Radius: vg.Points(dotRadius), Shape: draw.CircleGlyph{}}, vg.Point{X: x(v), Y: y})
			}
		}
	}
	text := b.work.Show(m, s.Median)
	if r, ok := row.Ratio[m]; ok && row.Peer != b.work.Base && m != compare.FDs {
		text += fmt.Sprintf("  %.2f×", r.Median)
	}
	if row.Faults() != "" {
		text += " !"
	}
	c.FillText(label, vg.Point{X: x(s.Max) + vg.Points(5), Y: y}, text)
}
