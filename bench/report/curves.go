package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"sluice/bench/compare"
)

// curve is one peer's line.
type curve struct {
	peer   string
	points []point
}

// point is a value with its spread over the rounds.
type point struct{ x, y, low, high float64 }

// curves is a panel of lines over a logarithmic y.
type curves struct {
	title  string
	better string
	xTitle string
	xTicks []tick
	xLog   bool
	showY  func(float64) string
	lines  []curve
	looks  map[string]look
}

const (
	plotHeight   = 170 // units
	legendColumn = 24  // room for a marker in the legend
	pointHalf    = 7   // of the place around a point that shows its value
)

// yRange is the range of all values with a margin.
func (k curves) yRange() (low, high float64) {
	low, high = math.Inf(1), 0
	for _, l := range k.lines {
		for _, p := range l.points {
			low, high = min(low, p.low), max(high, p.high)
		}
	}
	if high == 0 {
		return 1, 10
	}
	if high/low < 2 {
		low, high = low/1.4, high*1.4
	}
	return low / 1.15, high * 1.15
}

func (k curves) draw(width float64) *canvas {
	c := &canvas{w: width}
	label := letters{small, "ink", false, right}
	top := c.lines(0, large, letters{large, "ink", true, left}, wrap(k.title, width, letters{large, "ink", true, left}))
	top = c.lines(0, top, letters{small, "faint", false, left}, wrap(k.better, width, label)) - 4
	low, high := k.yRange()
	y := scale{low: low, high: high, from: top + plotHeight, to: top, log: true}
	ticks := logTicks(low, high, k.showY)
	gutter := 0.0
	for _, t := range ticks {
		gutter = max(gutter, widthOf(t.label, label)+6)
	}
	for _, t := range ticks {
		c.line(gutter, y.at(t.value), width, y.at(t.value), 1, "rule")
		c.text(gutter-6, y.at(t.value)+small/3, label, t.label)
	}
	x := scale{from: gutter + 10, to: width - 18, log: k.xLog}
	if n := len(k.xTicks); n > 0 {
		x.low, x.high = k.xTicks[0].value, k.xTicks[n-1].value
	}
	bottom := y.from
	c.line(gutter, bottom, width, bottom, 1, "faint")
	for _, t := range k.xTicks {
		c.line(x.at(t.value), bottom, x.at(t.value), bottom+4, 1, "faint")
	}
	label.anchor = middle
	for _, t := range apart(k.xTicks, x, label) {
		c.text(x.at(t.value), bottom+6+small, label, t.label)
	}
	c.text((gutter+width)/2, bottom+6+small+lineHeight, letters{small, "faint", false, middle}, k.xTitle)
	for _, l := range k.lines {
		k.curve(c, l, x, y)
	}
	k.legend(c, bottom+6+small+lineHeight+10)
	return c
}

// curve is a line with its spreads and a marker for each point.
func (k curves) curve(c *canvas, l curve, x, y scale) {
	look := k.looks[l.peer]
	path := ""
	for _, p := range l.points {
		path += fmt.Sprintf("L%s %s", num(x.at(p.x)), num(y.at(p.y)))
		fmt.Fprintf(&c.b, `<path opacity="0.5" stroke-width="1.6" fill="none" d="M%s %sV%s" %s/>`, num(x.at(p.x)), num(y.at(p.low)), num(y.at(p.high)), look.tone.stroke())
	}
	fmt.Fprintf(&c.b, `<path fill="none" stroke-width="%s" stroke-dasharray="%s" d="M%s" %s/>`, num(look.width), cmp.Or(look.dashes, "none"), path[1:], look.tone.stroke())
	for _, p := range l.points {
		title := fmt.Sprintf("%s, %s: %s", l.peer, k.nameX(p.x), k.showY(p.y))
		if p.low != p.high {
			title += fmt.Sprintf(" (%s to %s)", k.showY(p.low), k.showY(p.high))
		}
		px, py := x.at(p.x), y.at(p.y)
		c.value(title, px-pointHalf, py-pointHalf, 2*pointHalf, 2*pointHalf, func() { c.mark(look, px, py) })
	}
}

// nameX is the label of a place on the x axis, with what it is.
func (k curves) nameX(x float64) string {
	for _, t := range k.xTicks {
		if t.value == x {
			return k.xTitle + " " + t.label
		}
	}
	return k.xTitle
}

// legend names the lines below the plot, in the order of their right ends from above.
func (k curves) legend(c *canvas, y float64) {
	lines := slices.Clone(k.lines)
	end := func(l curve) float64 { return l.points[len(l.points)-1].y }
	slices.SortStableFunc(lines, func(a, b curve) int { return cmp.Compare(end(b), end(a)) })
	var names []string
	for _, l := range lines {
		names = append(names, l.peer)
	}
	c.h = legend(c, y, names, k.looks)
}

// legend puts markers and names into lines from y on, and returns where it ends.
func legend(c *canvas, y float64, peers []string, looks map[string]look) float64 {
	x := 0.0
	for _, peer := range peers {
		l := looks[peer]
		style := letters{small, "ink", l.own, left}
		width := legendColumn + widthOf(peer, style)
		if x > 0 && x+width > c.w {
			x, y = 0, y+lineHeight+2
		}
		fmt.Fprintf(&c.b, `<path fill="none" stroke-width="%s" stroke-dasharray="%s" d="M%s %sh18" %s/>`, num(l.width), cmp.Or(l.dashes, "none"), num(x), num(y+8), l.tone.stroke())
		c.mark(l, x+9, y+8)
		rows := wrap(peer, c.w-legendColumn, style)
		y = c.lines(x+legendColumn, y+small, style, rows) - lineHeight - small
		x += width + 14
	}
	return y + lineHeight + 4
}

// pointOf makes a point of a metric's spread; false where there is none to show on
// a logarithmic scale.
func pointOf(x float64, s compare.Spread, scale float64) (point, bool) {
	return point{x, s.Median * scale, s.Min * scale, s.Max * scale}, s.N > 0 && s.Min > 0
}
