package report

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"sluice/bench/compare"
)

// curve is one peer's line.
type curve struct {
	peer   string
	points []point
}

// point is a value with its spread over the rounds.
type point struct{ x, y, low, high float64 }

// curves is a figure of lines.
type curves struct {
	title  string
	better string
	xTitle string
	xTicks plot.Ticker
	xLog   bool
	showY  func(float64) string
	lines  []curve
	looks  map[string]look
}

const (
	curveHeight = 250 // points
	labelStep   = 11  // least distance of two names, in points
	leader      = 14  // length of the line from a curve's end to its name, in points
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

func (k curves) draw(c draw.Canvas) {
	p := plot.New()
	p.BackgroundColor = nil
	p.X.Label.Text = k.xTitle
	p.X.Label.TextStyle = words(9, faint(), draw.XCenter, draw.YBottom)
	p.X.Tick.Label = words(8.5, ink(), draw.XCenter, draw.YTop)
	p.Y.Tick.Label = words(8.5, ink(), draw.XRight, draw.YCenter)
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle, a.Tick.LineStyle, a.Tick.Length, a.Padding = hair(faint()), hair(faint()), vg.Points(4), vg.Points(4)
	}
	p.X.Tick.Marker = k.xTicks
	if k.xLog {
		p.X.Scale = plot.LogScale{}
	}
	p.Y.Tick.Marker = logTicks{k.showY}
	p.Y.Scale = plot.LogScale{}
	grid := plotter.NewGrid()
	grid.Vertical, grid.Horizontal = draw.LineStyle{}, hair(rule())
	p.Add(grid)
	room := vg.Points(0)
	name := words(9, ink(), draw.XLeft, draw.YCenter)
	for _, l := range k.lines {
		p.Add(drawnCurve{l, k.looks[l.peer]})
		room = max(room, bold(name).Width(l.peer))
	}
	p.Y.Min, p.Y.Max = k.yRange()
	c.FillText(bold(words(10, ink(), draw.XLeft, draw.YTop)), vg.Point{X: c.Min.X + vg.Points(4), Y: c.Max.Y - vg.Points(2)}, k.title)
	c.FillText(words(8, faint(), draw.XLeft, draw.YTop), vg.Point{X: c.Min.X + vg.Points(4), Y: c.Max.Y - vg.Points(15)}, k.better)
	inner := draw.Crop(c, vg.Points(4), -room-vg.Points(leader+6), vg.Points(2), -vg.Points(30))
	p.Draw(inner)
	k.names(c, p, p.DataCanvas(inner))
}

// names writes each peer's name at the right end of its line, moved apart where
// lines end close to each other.
func (k curves) names(c draw.Canvas, p *plot.Plot, data draw.Canvas) {
	x, y := p.Transforms(&data)
	type end struct {
		curve
		at, name vg.Length
	}
	var ends []end
	for _, l := range k.lines {
		if n := len(l.points); n > 0 {
			at := y(l.points[n-1].y)
			ends = append(ends, end{l, at, at})
		}
	}
	slices.SortFunc(ends, func(a, b end) int { return int(math.Copysign(1, float64(a.at-b.at))) })
	places := make([]vg.Length, len(ends))
	for i, e := range ends {
		places[i] = e.at
	}
	spreadOut(places, vg.Points(labelStep), data.Min.Y, data.Max.Y)
	for i, e := range ends {
		l := k.looks[e.peer]
		last := e.points[len(e.points)-1]
		from, to := x(last.x)+vg.Points(5), data.Max.X+vg.Points(leader)
		c.StrokeLine2(draw.LineStyle{Color: l.color, Width: vg.Points(0.6)}, from, e.at, data.Max.X+vg.Points(6), e.at)
		c.StrokeLine2(draw.LineStyle{Color: l.color, Width: vg.Points(0.6)}, data.Max.X+vg.Points(6), e.at, to, places[i])
		style := words(9, ink(), draw.XLeft, draw.YCenter)
		if l.own {
			style = bold(style)
		}
		c.FillText(style, vg.Point{X: to + vg.Points(3), Y: places[i]}, e.peer)
	}
}

// spreadOut moves sorted places apart to at least step, within low and high. Those
// that would collide form a block around their mean.
func spreadOut(places []vg.Length, step, low, high vg.Length) {
	type block struct {
		first, n int
		middle   vg.Length // of where its members would be
	}
	half := func(b block) vg.Length { return step * vg.Length(b.n-1) / 2 }
	place := func(b block) block {
		b.middle = max(low+half(b), min(high-half(b), b.middle))
		return b
	}
	var blocks []block
	for i, at := range places {
		b := place(block{i, 1, at})
		for k := len(blocks) - 1; k >= 0; k-- {
			a := blocks[k]
			if b.middle-half(b) >= a.middle+half(a)+step {
				break
			}
			mean := (a.middle*vg.Length(a.n) + b.middle*vg.Length(b.n)) / vg.Length(a.n+b.n)
			b = place(block{a.first, a.n + b.n, mean})
			blocks = blocks[:k]
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		for i := range b.n {
			places[b.first+i] = b.middle - half(b) + step*vg.Length(i)
		}
	}
}

// drawnCurve plots one line with its markers and spreads.
type drawnCurve struct {
	curve
	look look
}

// Plot implements plot.Plotter.
func (d drawnCurve) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	var path []vg.Point
	for _, pt := range d.points {
		path = append(path, vg.Point{X: x(pt.x), Y: y(pt.y)})
		c.StrokeLine2(draw.LineStyle{Color: pale(d.look.color), Width: vg.Points(1.2)}, x(pt.x), y(pt.low), x(pt.x), y(pt.high))
	}
	c.StrokeLines(d.look.line(), path)
	for _, at := range path {
		c.DrawGlyph(d.look.mark(), at)
	}
}

// DataRange implements plot.DataRanger.
func (d drawnCurve) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax, ymin, ymax = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, p := range d.points {
		xmin, xmax, ymin, ymax = min(xmin, p.x), max(xmax, p.x), min(ymin, p.low), max(ymax, p.high)
	}
	return xmin, xmax, ymin, ymax
}

// pointOf makes a point of a metric's spread; false where there is none to show on
// a logarithmic scale.
func pointOf(x float64, s compare.Spread, scale float64) (point, bool) {
	return point{x, s.Median * scale, s.Min * scale, s.Max * scale}, s.N > 0 && s.Min > 0
}
