package upstream

import (
	"strings"
	"testing"
)

// TestParseTOS asserts that each form is read, and written so that it is read
// alike.
func TestParseTOS(t *testing.T) {
	for text, want := range map[string]TOS{
		"off": {}, "copy": {Copy: true},
		"0": {Set: true}, "184": {Set: true, Value: 184}, "0xb8": {Set: true, Value: 184}, "0x10": {Set: true, Value: 16},
		"ef": {Set: true, Value: 184}, "EF": {Set: true, Value: 184}, "af41": {Set: true, Value: 0x88}, "cs1": {Set: true, Value: 0x20},
	} {
		got, err := ParseTOS(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := ParseTOS(got.String()); err != nil || again != got {
			t.Errorf("%s is written as %s: %+v, %v", text, got, again, err)
		}
	}
}

// TestParseTOSRefuses asserts that what makes no sense is refused with a remedy.
func TestParseTOSRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"": "want copy", "256": "want copy", "-4": "want copy", "af14": "want copy",
		"46": "want 0x2c", "0xbb": "want 0xb8",
	} {
		if _, err := ParseTOS(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
