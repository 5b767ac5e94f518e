package shape

import (
	"strings"
	"testing"
)

func TestLimitText(t *testing.T) {
	for text, want := range map[string]string{
		"1MiB,8MiB": "1MiB,8MiB", "125000,off": "125000,off", "off, 1K": "off,1KiB", "0,0": "off,off", "off,off": "off,off",
		"100": "!--client-connects", "auto": "!--client-connects", "off": "!--client-connects", "": "!--client-connects",
		"1MiB,": "!no rate", ",": "!no rate", "1000,2,3": "!no rate", "-1,off": "!no rate", "fast,off": "!no rate", "999,off": "!1000 at least",
	} {
		var l Limit
		err := l.UnmarshalText([]byte(text))
		if why, bad := strings.CutPrefix(want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), why) || l.IsSet() {
				t.Errorf("%q: %v, %v, want an error with %q", text, l, err, why)
			}
			continue
		}
		if err != nil || l.String() != want || !l.IsSet() {
			t.Errorf("%q: %s, %v", text, l, err)
		}
		var again Limit
		if err := again.UnmarshalText([]byte(l.String())); err != nil || again != l {
			t.Errorf("%q: %s is read as %s, %v", text, l, again, err)
		}
	}
}

func FuzzLimit(f *testing.F) {
	f.Add("1MiB,off")
	f.Fuzz(func(t *testing.T, text string) {
		var l, again Limit
		if l.UnmarshalText([]byte(text)) != nil {
			return
		}
		for _, rate := range []int64{l.Up, l.Down} {
			if rate != Off && rate < LeastRate {
				t.Errorf("%q: %d bytes a second", text, rate)
			}
		}
		if err := again.UnmarshalText([]byte(l.String())); err != nil || again != l {
			t.Errorf("%q: %s is read as %s, %v", text, l, again, err)
		}
	})
}

func TestLimitOr(t *testing.T) {
	all, off := Limit{Up: 5000, Down: Off}, Limit{Up: Off, Down: Off}
	if got := (Limit{}).Or(all); got != all {
		t.Errorf("nothing said: %v", got)
	}
	if got := off.Or(all); got != off || got.Bounds() {
		t.Errorf("off: %v", got)
	}
}
