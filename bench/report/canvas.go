package report

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// canvas is an SVG that is being drawn. Units are CSS pixels at the size that it is
// made for; y grows downwards. Whoever draws sets h.
type canvas struct {
	w, h float64
	b    strings.Builder
}

// Sizes of type, in units. Figures are shown at nine tenths of their size at least, so
// that none is below 11 pixels.
const (
	small = 12.5
	large = 14
)

// Anchors of a text.
const (
	left   = "start"
	middle = "middle"
	right  = "end"
)

// letters is how a text is set.
type letters struct {
	size   float64
	tone   tone
	bold   bool
	anchor string
}

func (c *canvas) text(x, y float64, l letters, text string) {
	weight := ""
	if l.bold {
		weight = ` font-weight="700"`
	}
	fmt.Fprintf(&c.b, `<text x="%s" y="%s" font-size="%s" text-anchor="%s"%s %s>%s</text>`,
		num(x), num(y), num(l.size), l.anchor, weight, l.tone.fill(), html.EscapeString(text))
}

// lines sets texts below each other, the first at y, and returns where the next one goes.
func (c *canvas) lines(x, y float64, l letters, texts []string) float64 {
	for _, text := range texts {
		c.text(x, y, l, text)
		y += lineHeight
	}
	return y
}

// lineHeight is the distance of two lines of text, in units.
const lineHeight = 16

func (c *canvas) line(x1, y1, x2, y2, width float64, t tone) {
	fmt.Fprintf(&c.b, `<path d="M%s %sL%s %s" fill="none" stroke-width="%s" %s/>`, num(x1), num(y1), num(x2), num(y2), num(width), t.stroke())
}

func (c *canvas) rect(x, y, w, h float64, t tone) {
	fmt.Fprintf(&c.b, `<rect x="%s" y="%s" width="%s" height="%s" %s/>`, num(x), num(y), num(w), num(h), t.fill())
}

func (c *canvas) dot(x, y, radius float64, t tone) {
	fmt.Fprintf(&c.b, `<circle cx="%s" cy="%s" r="%s" %s/>`, num(x), num(y), num(radius), t.fill())
}

// value draws what stands for a value. Its title is shown where the mouse is over it,
// or over the rectangle around it.
func (c *canvas) value(title string, x, y, w, h float64, draw func()) {
	fmt.Fprintf(&c.b, `<g><title>%s</title><rect x="%s" y="%s" width="%s" height="%s" fill="none" pointer-events="all"/>`,
		html.EscapeString(title), num(x), num(y), num(w), num(h))
	draw()
	c.b.WriteString("</g>\n")
}

// mark is a look's marker.
func (c *canvas) mark(l look, x, y float64) {
	paint := l.tone.fill()
	if l.hollow {
		paint = `stroke-width="1.5" ` + l.tone.both("paper")
	}
	if l.shape == plus || l.shape == cross {
		paint = `fill="none" stroke-width="2" ` + l.tone.stroke()
	}
	fmt.Fprintf(&c.b, `<path transform="translate(%s %s)" d="%s" %s/>`, num(x), num(y), l.shape, paint)
}

// num writes a coordinate to a tenth of a unit.
func num(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// widthOf is how wide a text may be in the widest of the usual sans serif fonts (DejaVu
// Sans), in units.
func widthOf(text string, l letters) float64 {
	em := 0.0
	for _, r := range text {
		switch {
		case strings.ContainsRune(" .,:;'!|()ijlft-", r):
			em += 0.4
		case strings.ContainsRune("mwMW%–×+=µ", r) || r >= 'A' && r <= 'Z':
			em += 0.84
		default:
			em += 0.63
		}
	}
	if l.bold {
		em *= 1.12
	}
	return em * l.size
}

// wrap breaks a text into lines of that width, between words.
func wrap(text string, width float64, l letters) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && widthOf(longer, l) > width {
			lines, longer = append(lines, line), word
		}
		line = longer
	}
	return append(lines, line)
}
