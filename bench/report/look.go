package report

import (
	"image/color"

	"golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"sluice/bench/compare"
)

// look is how a peer is drawn.
type look struct {
	color  color.Color
	glyph  draw.GlyphDrawer
	dashes []vg.Length
	width  vg.Length
	own    bool // a sluice: its name is bold
}

// hues by kind, of Okabe and Ito's eight; yellow is too pale for lines.
func hues() map[string]color.Color {
	return map[string]color.Color{
		"sluice":        rgb(0x0072b2), // blue
		compare.Direct:  rgb(0x444444), // black, softened
		compare.HAProxy: rgb(0xd55e00), // vermilion
		"nginx":         rgb(0x009e73), // bluish green
		"redsocks":      rgb(0xcc79a7), // reddish purple
		compare.SingBox: rgb(0xe69f00), // orange
		"xray":          rgb(0x56b4e9), // sky blue

		"hev-socks5-tproxy": rgb(0x999999), // grey
	}
}

func rgb(v uint32) color.Color {
	return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xff}
}

// Shades of what is not data.
func ink() color.Color   { return rgb(0x222222) }
func faint() color.Color { return rgb(0x6b6b6b) }
func rule() color.Color  { return rgb(0xdcdcdc) }
func paper() color.Color { return rgb(0xffffff) }

// looks gives every peer a look; variants of sluice share the hue.
func looks(peers []compare.Peer) map[string]look {
	glyphs := map[string]draw.GlyphDrawer{
		compare.Direct: draw.PlusGlyph{}, compare.HAProxy: draw.SquareGlyph{}, "nginx": draw.TriangleGlyph{},
		"redsocks": draw.CrossGlyph{}, compare.SingBox: draw.PyramidGlyph{}, "xray": draw.BoxGlyph{}, "hev-socks5-tproxy": draw.RingGlyph{},
	}
	variants := []look{
		{glyph: draw.CircleGlyph{}, width: vg.Points(2.2)},
		{glyph: draw.RingGlyph{}, width: vg.Points(1.6), dashes: []vg.Length{vg.Points(6), vg.Points(2)}},
		{glyph: draw.BoxGlyph{}, width: vg.Points(1.6), dashes: []vg.Length{vg.Points(2), vg.Points(2)}},
		{glyph: draw.PyramidGlyph{}, width: vg.Points(1.6), dashes: []vg.Length{vg.Points(8), vg.Points(2), vg.Points(2), vg.Points(2)}},
	}
	all := map[string]look{}
	sluices := map[compare.Role]int{}
	for _, p := range peers {
		l := look{glyph: glyphs[p.Kind], width: vg.Points(1.4)}
		switch p.Kind {
		case "sluice":
			l = variants[sluices[p.Role]%len(variants)]
			sluices[p.Role]++
		case compare.Direct:
			l.dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		}
		l.color, l.own = hues()[p.Kind], p.Kind == "sluice"
		all[p.Name] = l
	}
	return all
}

func (l look) line() draw.LineStyle {
	return draw.LineStyle{Color: l.color, Width: l.width, Dashes: l.dashes}
}

func (l look) mark() draw.GlyphStyle {
	return draw.GlyphStyle{Color: l.color, Radius: vg.Points(3.2), Shape: l.glyph}
}

// words is a text style in the sans serif font that gonum carries.
func words(size float64, c color.Color, x draw.XAlignment, y draw.YAlignment) text.Style {
	f := plot.DefaultFont
	f.Variant, f.Size = "Sans", vg.Points(size)
	return text.Style{Color: c, Font: f, XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
}

// bold makes a style bold.
func bold(s text.Style) text.Style {
	s.Font.Weight = font.WeightBold
	return s
}

func hair(c color.Color) draw.LineStyle { return draw.LineStyle{Color: c, Width: vg.Points(0.6)} }

// pale is a colour halfway to the paper.
func pale(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	half := func(v uint32) uint8 { return uint8((v>>8 + 0xff) / 2) }
	return color.NRGBA{R: half(r), G: half(g), B: half(b), A: 0xff}
}
