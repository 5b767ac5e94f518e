package screen

import (
	"strings"
	"unicode"

	"sluice/cmd/sluice/show"
)

// entry is a line that is typed.
type entry struct {
	text  string
	amiss string // why what was typed makes no sense
}

// mostEntry bounds what is typed, or pasted, in bytes.
const mostEntry = 400

// insert adds typed or pasted text at the end.
func (e *entry) insert(text string) {
	text = show.Text(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, text))
	if len(e.text)+len(text) <= mostEntry {
		e.text += text
	}
}

// erase takes the last letter away, or the last word.
func (e *entry) erase(word bool) {
	if !word {
		e.text = e.text[:max(len(e.text)-1, 0)]
		return
	}
	e.text = strings.TrimRight(e.text, " ")
	e.text = e.text[:strings.LastIndexByte(e.text, ' ')+1]
}
