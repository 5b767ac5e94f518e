package show

import (
	"strconv"
	"strings"

	"sluice/redir/quote"
)

// Text writes out what is not printable ASCII, as quote.Line does: what comes of it
// has as many columns as bytes, and nothing that a terminal obeys.
func Text(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	for _, r := range quote.Line(s) {
		if r < 0x80 {
			b.WriteRune(r)
			continue
		}
		escaped := strconv.QuoteRuneToASCII(r)
		b.WriteString(escaped[1 : len(escaped)-1])
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// gap stands for what had no room.
const gap = "~"

// Cut shortens what Text has written to a width, in its middle: of an address the port
// stays, and of a name the end, which says more than the beginning.
func Cut(s string, width int) string {
	switch {
	case len(s) <= width:
		return s
	case width <= 0:
		return ""
	case width <= len(gap)+1:
		return s[:width]
	}
	tail := (width - len(gap)) * 2 / 3
	return s[:width-len(gap)-tail] + gap + s[len(s)-tail:]
}
