package quote

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line writes out what is not printable, as \x1b. Text that is printable stays
// as it is.
func Line(text string) string {
	if strings.IndexFunc(text, isAmiss) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[i])|0x100, 16)[1:])
		case isAmiss(r):
			escaped := strconv.QuoteRune(r)
			b.WriteString(escaped[1 : len(escaped)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isAmiss(r rune) bool { return !unicode.IsPrint(r) }

// Name quotes a name, but for one of letters, digits and what is usual between
// them.
func Name(text string) string {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.:/@+", r))
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return strconv.QuoteToASCII(text)
}
