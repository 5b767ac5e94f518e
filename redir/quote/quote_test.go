package quote

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		"rule 1: drop \"all\"":    "rule 1: drop \"all\"",
		"naïve 名":                 "naïve 名",
		"\x1b[2Jgone":             `\x1b[2Jgone`,
		"one\ntwo\ttab\r":         `one\ntwo\ttab\r`,
		"\u202etxt.exe":           `\u202etxt.exe`,
		"\u009b31m":               `\u009b31m`,
		"\x9b31m\xff":             `\x9b31m\xff`,
		string(utf8.RuneError):    string(utf8.RuneError),
		"a\x00b\x7f":              `a\x00b\x7f`,
		"line\u2028end\u00adsoft": `line\u2028end\u00adsoft`,
	} {
		if got := Line(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestName(t *testing.T) {
	for text, want := range map[string]string{
		"nginx": "nginx", "kworker/0:1-events": "kworker/0:1-events", "": `""`,
		"(sd-pam)": `"(sd-pam)"`, "x (pid 1)": `"x (pid 1)"`, "\x1b[1m": `"\x1b[1m"`, "ü": `"\u00fc"`,
	} {
		if got := Name(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b]0;title\x07\xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, got := range []string{Line(text), Name(text)} {
			if !utf8.ValidString(got) || strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
				t.Errorf("%q: %q", text, got)
			}
		}
	})
}
