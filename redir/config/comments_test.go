package config

import (
	"strings"
	"testing"
)

// TestCommentsInErrors: what comments say is not what the file says, and an error's
// place is where somebody mends it.
func TestCommentsInErrors(t *testing.T) {
	const comma = "a comma is missing here, or a colon"
	for text, want := range map[string]string{
		"// nothing":                                     "1:1: the file is empty but for comments",
		"\ufeff\r\n/* nothing */":                        "1:1: the file is empty but for comments",
		"\ufeff \n":                                      "1:1: the file is empty",
		"{}\n /* nothing":                                "2:2: nothing ends the comment that begins here: it ends with */",
		"{\"mark\": /* two\n 2}":                         "1:10: nothing ends the comment that begins here: it ends with */",
		`{'x/*': 1}`:                                     `1:2: texts and keys stand in double quotes, as "listen_port"`,
		`{"mark": 1, / two` + "\n}":                      "1:13: a comment begins with // or stands between /* and */",
		"{\"mark\": 1 // two,\n \"relay\": 2}":           "1:11: " + comma,
		"{\"mark\": 1 /* two: {*/\n \"relay\": 2}":       "1:11: " + comma,
		"{\"mark\" /* : */ 2}":                           "1:8: " + comma,
		`{"http://a": "b\\// \"" "c": 1}`:                "1:24: " + comma,
		"\ufeff{\"mark\": 1 // é\n/* é */ \"relay\": 2}": "1:11: " + comma,
		`{"mark": 0x10/* 16 */}`:                         `1:10: 0x10: what is no number, true, false or null stands in double quotes, as "0x10"`,
		"{} // {\n {}":                                   "2:2: more text after the end of the configuration",
		"{\"mark\": 1, // two":                           "1:12: the file ends in the middle of a value",
	} {
		_, err := Parse("f", []byte(text), testKeys())
		if err == nil || err.Error() != "f:"+want {
			t.Errorf("%s\ngot  %v\nwant f:%s", text, err, want)
		}
	}
}

func FuzzBlanked(f *testing.F) {
	for _, text := range []string{`{"a": "//" /* b */} // c`, "/*", "/", `"\`, "\ufeff//\n/**/"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		plain, unclosed := blanked([]byte(text))
		if len(plain) != len(text) || unclosed >= len(text) || strings.Count(string(plain), "\n") != strings.Count(text, "\n") {
			t.Errorf("%q: %q, %d", text, plain, unclosed)
		}
	})
}
