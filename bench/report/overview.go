package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"sluice/bench/compare"
)

// overview is every work of transparent proxies at one glance: ratios to the base.
type overview struct {
	works []compare.WorkResult
	peers []string
	looks map[string]look
}

const (
	overviewRow    = 24 // points
	overviewTop    = 52 // legend and titles, in points
	overviewBottom = 24
)

// overviewFigure is the figure of all ratios; false where no base was measured.
func overviewFigure(r *compare.Result, all map[string]look) (figure, bool) {
	o := overview{looks: all}
	for _, w := range r.Works {
		if w.Sweep == "" && w.Role == "" && w.Base != "" {
			o.works = append(o.works, w)
		}
	}
	for _, p := range r.Peers {
		for _, w := range o.works {
			if w.Row(p.Name) != nil {
				o.peers = append(o.peers, p.Name)
				break
			}
		}
	}
	return figure{name: "overview", title: "ratios to the yardstick, all works", w: fullWidth,
		h:    vg.Points(overviewTop + overviewBottom + overviewRow*float64(len(o.works))),
		draw: o.draw}, len(o.works) > 0
}

func (o overview) draw(c draw.Canvas) {
	o.legend(c)
	name := words(9, ink(), draw.XRight, draw.YCenter)
	small := words(7.5, faint(), draw.XRight, draw.YCenter)
	gutter := vg.Points(0)
	for _, w := range o.works {
		gutter = max(gutter, name.Width(w.Title))
	}
	gutter += vg.Points(10)
	for i, w := range o.works {
		at := vg.Point{X: c.Min.X + gutter - vg.Points(6), Y: o.y(c, i)}
		c.FillText(name, at.Add(vg.Point{Y: vg.Points(5)}), w.Title)
		c.FillText(small, at.Add(vg.Point{Y: -vg.Points(5)}), w.Base+" = 1")
	}
	width := (c.Max.X - c.Min.X - gutter) / 3
	for i, panel := range []struct {
		metric       compare.Metric
		title, right string
	}{{compare.Rate, "throughput", "right is better"}, {compare.ProxyCPU, "proxy CPU per unit", "left is better"}, {compare.RSS, "memory (RSS)", "left is better"}} {
		left := c.Min.X + gutter + width*vg.Length(i)
		o.panel(c, panel.metric, panel.title, panel.right, left, left+width-vg.Points(12))
	}
}

func (o overview) y(c draw.Canvas, i int) vg.Length {
	return c.Max.Y - vg.Points(overviewTop+overviewRow*(float64(i)+0.5))
}

// legend names the markers in one line.
func (o overview) legend(c draw.Canvas) {
	x, y := c.Min.X+vg.Points(6), c.Max.Y-vg.Points(9)
	style := words(9, ink(), draw.XLeft, draw.YCenter)
	for _, p := range o.peers {
		mark := o.looks[p].mark()
		c.DrawGlyphNoClip(mark, vg.Point{X: x, Y: y})
		c.FillText(style, vg.Point{X: x + vg.Points(7), Y: y}, p)
		x += style.Width(p) + vg.Points(24)
	}
}

func (o overview) panel(c draw.Canvas, m compare.Metric, title, better string, left, right vg.Length) {
	low, high := o.span(m)
	x := func(v float64) vg.Length {
		return left + (right-left)*vg.Length(plot.LogScale{}.Normalize(low, high, v))
	}
	c.FillText(bold(words(9.5, ink(), draw.XLeft, draw.YTop)), vg.Point{X: left, Y: c.Max.Y - vg.Points(24)}, title)
	c.FillText(words(8, faint(), draw.XLeft, draw.YTop), vg.Point{X: left, Y: c.Max.Y - vg.Points(36)}, better)
	n := len(o.works)
	top, bottom := o.y(c, 0)+vg.Points(overviewRow/2), o.y(c, n-1)-vg.Points(overviewRow/2)
	for i := range o.works {
		c.StrokeLine2(hair(rule()), left, o.y(c, i), right, o.y(c, i))
	}
	tick := words(8, faint(), draw.XCenter, draw.YTop)
	edge := -vg.Inch
	for _, t := range (logTicks{ratioText}).Ticks(low, high) {
		if width := tick.Width(t.Label); x(t.Value)-width/2 > max(edge, left-vg.Points(6))+vg.Points(3) && x(t.Value)+width/2 < right+vg.Points(4) {
			c.FillText(tick, vg.Point{X: x(t.Value), Y: bottom - vg.Points(4)}, t.Label)
			edge = x(t.Value) + width/2
		}
		c.StrokeLine2(hair(rule()), x(t.Value), bottom-vg.Points(2), x(t.Value), bottom)
	}
	c.StrokeLine2(draw.LineStyle{Color: ink(), Width: vg.Points(1)}, x(1), bottom, x(1), top)
	for i := range o.works {
		for j := len(o.peers) - 1; j >= 0; j-- { // sluice, the first, on top
			o.mark(c, &o.works[i], m, o.peers[j], o.y(c, i), x)
		}
	}
}

func (o overview) mark(c draw.Canvas, w *compare.WorkResult, m compare.Metric, peer string, y vg.Length, x func(float64) vg.Length) {
	row := w.Row(peer)
	if row == nil || row.Ratio[m].N == 0 || row.Ratio[m].Min <= 0 {
		return
	}
	s, l := row.Ratio[m], o.looks[peer]
	if s.N > 1 {
		c.StrokeLine2(draw.LineStyle{Color: l.color, Width: vg.Points(1)}, x(s.Min), y, x(s.Max), y)
	}
	c.DrawGlyphNoClip(l.mark(), vg.Point{X: x(s.Median), Y: y})
}

// span is the range of all ratios of a metric, 1 within it.
func (o overview) span(m compare.Metric) (low, high float64) {
	low, high = 0.7, 1.4
	for _, w := range o.works {
		for _, row := range w.Rows {
			if s := row.Ratio[m]; s.N > 0 && s.Min > 0 {
				low, high = min(low, s.Min), max(high, s.Max)
			}
		}
	}
	return low / 1.1, high * 1.1
}

// ratioText writes 0.5×, 1×, 20×.
func ratioText(v float64) string {
	digits := max(0, 1-int(math.Floor(math.Log10(v)+1e-9)))
	return tidy(strconv.FormatFloat(v, 'f', digits, 64) + "×")
}
