package screen

import "strings"

// Look is what the terminal can show.
type Look struct {
	Blocks bool // of Unicode, by which sparklines are finer
}

// LookOf reads the locale (locale(7)) and the terminal's type. The font of the Linux
// console has few of the blocks.
func LookOf(getenv func(string) string) Look {
	locale := ""
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale = getenv(name); locale != "" {
			break
		}
	}
	locale = strings.ToLower(locale)
	utf8 := strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
	return Look{Blocks: utf8 && getenv("TERM") != "linux"}
}

// IsDumb reports whether the terminal obeys nothing, so that text is all that it gets.
func IsDumb(getenv func(string) string) bool {
	term := getenv("TERM")
	return term == "" || term == "dumb"
}
