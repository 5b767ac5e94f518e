package report

import (
	"cmp"
	"fmt"
	"math"
	"strconv"

	"sluice/bench/compare"
)

// overview is every work of transparent proxies at one glance: ratios to the base,
// three strips for each work.
//
//	screen:  title  | throughput | CPU | memory |      phone:  title
//	                                                           | throughput | CPU | memory |
type overview struct {
	works  []*compare.WorkResult
	peers  []string
	looks  map[string]look
	strips []strip
	own    string // whose ratios are written as numbers; empty: nobody's
}

// strip is a column: one metric on a logarithmic scale.
type strip struct {
	metric        compare.Metric
	title, better string
	low, high     float64
}

// Measures of the overview, in units.
const (
	wideEnough  = 600 // for titles beside the strips
	titleWidth  = 214
	stripHeight = 20
	stripGap    = 12
	numberWidth = 46 // of a ratio beside a strip
	rowGap      = 10
)

// overviewFigure is the figure of all ratios; false where no base was measured.
func overviewFigure(r *compare.Result, all map[string]look) (figure, bool) {
	o := overview{looks: all}
	for i := range r.Works {
		if w := &r.Works[i]; w.Sweep == "" && w.Role == "" && w.Base != "" {
			o.works = append(o.works, w)
		}
	}
	for _, p := range r.Peers {
		for _, w := range o.works {
			if w.Row(p.Name) != nil {
				o.peers = append(o.peers, p.Name)
				if p.Kind == "sluice" {
					o.own = cmp.Or(o.own, p.Name)
				}
				break
			}
		}
	}
	for _, s := range []strip{{metric: compare.Rate, title: "throughput", better: "→ is better"},
		{metric: compare.ProxyCPU, title: "CPU/unit", better: "← is better"},
		{metric: compare.RSS, title: "memory", better: "← is better"}} {
		s.low, s.high = o.span(s.metric)
		o.strips = append(o.strips, s)
	}
	return figure{name: "overview", title: "ratios to the yardstick, all works", panels: []panel{o.draw}}, len(o.works) > 0
}

func (o overview) draw(width float64) *canvas {
	c := &canvas{w: width}
	side := 0.0
	if width >= wideEnough {
		side = titleWidth
	}
	y := legend(c, 0, o.peers, o.looks)
	if o.own != "" {
		note := letters{small, "faint", false, left}
		y = c.lines(0, y+small, note, wrap("Numbers are those of "+o.own+", bold where it loses.", width, note)) - small + 6
	}
	each := (width - side - stripGap*2) / 3
	x := func(i int) float64 { return side + float64(i)*(each+stripGap) }
	for i, s := range o.strips {
		c.text(x(i), y+large, letters{large, "ink", true, left}, s.title)
		c.text(x(i), y+large+lineHeight, letters{small, "faint", false, left}, s.better)
	}
	y += large + lineHeight + 8
	base := ""
	for _, w := range o.works {
		if w.Base != base {
			base = w.Base
			y += lineHeight + 2
			c.text(0, y, letters{small, "faint", true, left}, "to "+base+" = 1")
			y += 6
		}
		y = o.row(c, w, y, side, each, x)
	}
	c.h = o.axes(c, y, each, x)
	return c
}

// row draws a work below y and returns where the next one begins.
func (o overview) row(c *canvas, w *compare.WorkResult, y, side, each float64, x func(int) float64) float64 {
	name := letters{small, "ink", false, left}
	room := c.w
	if side > 0 {
		room = side - 12
	}
	bottom := c.lines(0, y+small, name, wrap(w.Title, room, name)) - small + 2
	if side == 0 {
		y = bottom
	}
	for i, s := range o.strips {
		o.strip(c, w, s, x(i), y, each, side > 0)
	}
	y += stripHeight
	if side == 0 {
		y += lineHeight
	}
	return max(bottom, y) + rowGap
}

// plotWidth is how much of a column the scale takes.
func plotWidth(each float64, wide bool) float64 {
	if wide {
		return each - numberWidth
	}
	return each
}

// strip draws one metric of one work: the line at 1, each peer's spread and marker,
// and the number of one's own.
func (o overview) strip(c *canvas, w *compare.WorkResult, s strip, left, y, each float64, wide bool) {
	scale := s.scale(left, plotWidth(each, wide))
	mid := y + stripHeight/2
	c.line(left, mid, scale.to, mid, 1, "rule")
	c.line(scale.at(1), y, scale.at(1), y+stripHeight, 1.2, "faint")
	for j := len(o.peers) - 1; j >= 0; j-- { // sluice, the first, on top
		row := w.Row(o.peers[j])
		if row == nil || row.Ratio[s.metric].N == 0 || row.Ratio[s.metric].Min <= 0 {
			continue
		}
		r, l := row.Ratio[s.metric], o.looks[row.Peer]
		at := scale.at(r.Median)
		title := fmt.Sprintf("%s, %s: %s %s (%s to %s)", w.Title, s.title, row.Peer, compare.Times(r.Median), compare.Times(r.Min), compare.Times(r.Max))
		c.value(title, at-pointHalf, mid-pointHalf, 2*pointHalf, 2*pointHalf, func() {
			c.line(scale.at(r.Min), mid, scale.at(r.Max), mid, 1.4, l.tone)
			c.mark(l, at, mid)
		})
	}
	at, number := letters{small, "ink", false, "end"}, "–"
	if row := w.Row(o.own); row != nil && row.Ratio[s.metric].N > 0 {
		r := row.Ratio[s.metric].Median
		number, at.bold = compare.Times(r), compare.Loses(s.metric, r)
	}
	if wide {
		c.text(left+each, mid+small/3, at, number)
		return
	}
	at.anchor = middle
	c.text(left+each/2, y+stripHeight+small, at, number)
}

func (s strip) scale(left, width float64) scale {
	return scale{low: s.low, high: s.high, from: left + 5, to: left + width - 5, log: true}
}

// axes writes the scales below the last row, and returns where they end.
func (o overview) axes(c *canvas, y, each float64, x func(int) float64) float64 {
	label := letters{small, "faint", false, middle}
	for i, s := range o.strips {
		scale := s.scale(x(i), plotWidth(each, c.w >= wideEnough))
		for _, t := range apart(logTicks(s.low, s.high, ratioText), scale, label) {
			at, half := scale.at(t.value), widthOf(t.label, label)/2
			c.line(at, y-rowGap+2, at, y-rowGap+6, 1, "faint")
			c.text(max(x(i)+half, min(at, x(i)+each-half)), y-rowGap+8+small, label, t.label)
		}
	}
	return y - rowGap + 8 + lineHeight
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

// ratioText writes a ratio on an axis: 0.5×, 1×, 20×.
func ratioText(v float64) string {
	digits := max(0, 1-int(math.Floor(math.Log10(v)+1e-9)))
	return tidy(strconv.FormatFloat(v, 'f', digits, 64) + "×")
}
