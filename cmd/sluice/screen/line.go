package screen

import (
	"strings"
	"unicode/utf8"
)

// style is how text looks: one of the terminal's own sixteen colours at most, so that
// it fits the operator's scheme. Bubble Tea leaves colours out where NO_COLOR is set.
type style string

// Parameters of SGR (ECMA-48, section 8.3.117).
const (
	plain  style = ""
	strong style = "1"
	faint  style = "2"
	chosen style = "7"
	good   style = "32"
	amber  style = "33"
	bad    style = "1;31"
	up     style = "36"
	down   style = "35"
)

// line is a row of the terminal. Its text has a column a rune.
type line struct {
	spans []span
	width int
}

type span struct {
	text string
	look style
}

func (l *line) add(look style, text string) *line {
	if text != "" {
		l.spans = append(l.spans, span{text, look})
		l.width += utf8.RuneCountInString(text)
	}
	return l
}

// fill adds blanks up to a width.
func (l *line) fill(look style, width int) *line {
	if l.width < width {
		l.add(look, strings.Repeat(" ", width-l.width))
	}
	return l
}

// right adds text that ends at width, if there is room for it and a blank before.
func (l *line) right(look style, width int, text string) *line {
	if room := width - l.width - utf8.RuneCountInString(text); room > 0 {
		l.fill(plain, l.width+room).add(look, text)
	}
	return l
}

// write writes the line, cut to width.
func (l *line) write(b *strings.Builder, width int) {
	for _, s := range l.spans {
		text := s.text
		if n := utf8.RuneCountInString(text); n > width {
			text = string([]rune(text)[:max(width, 0)])
			width = 0
		} else {
			width -= n
		}
		switch {
		case text == "":
		case s.look == plain:
			b.WriteString(text)
		default:
			b.WriteString("\x1b[" + string(s.look) + "m" + text + "\x1b[m")
		}
	}
}
