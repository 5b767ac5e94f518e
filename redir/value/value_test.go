package value

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5": 5 * time.Second, "5s": 5 * time.Second, " 5s ": 5 * time.Second, "0": 0, "0s": 0, "0.5": time.Second / 2, "1.5h": 90 * time.Minute,
		"300ms": 300 * time.Millisecond, "100us": 100 * time.Microsecond, "100µs": 100 * time.Microsecond, "1ns": 1,
		"1d": day, "1w": week, "1d12h": 36 * time.Hour, "1w1d1h1m1s": week + day + time.Hour + time.Minute + time.Second, "0.5d": 12 * time.Hour,
		"-1s": -time.Second, "-5": -5 * time.Second, "-1d": -day, "106751d": 106751 * day,
	} {
		if got, err := Duration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", " ", "s", "5x", "1dd", "d1", "5 m", "1e3", "Inf", "NaN", "0x5", "1d-1h", "--1s", "200000w", "106752d", "9223372037", "1..5s", "."} {
		if got, err := Duration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestDurationText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 5 * time.Minute: "5m", 124 * time.Minute: "2h4m", 2 * time.Hour: "2h", day: "1d", 36 * time.Hour: "36h", 400 * time.Microsecond: "400µs", 90 * time.Second: "1m30s",
	} {
		if got := DurationText(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, text := range []string{"5", "1d12h", "0.5", "1.5h", "-1w"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Duration(text)
		if err != nil {
			return
		}
		if again, err := Duration(DurationText(d)); err != nil || again != d {
			t.Errorf("%q is %v, of which %q is %v, %v", text, d, DurationText(d), again, err)
		}
		if std, err := time.ParseDuration(text); err == nil && std != d && std != math.MinInt64 {
			t.Errorf("%q is %v, to the library %v", text, d, std)
		}
	})
}

func TestIntegers(t *testing.T) {
	for text, want := range map[string]int64{"5": 5, "0xff": 255, "0XFF": 255, "0b11": 3, "0o17": 15, "65_536": 65536, " 7 ": 7, "-3": -3, "+3": 3, "0": 0} {
		if got, err := Integer(text, 64); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": `"" is no whole number: want one as 255 or 0xff`, "5.5": `"5.5" is no whole number: want one as 255 or 0xff`, "1e3": `"1e3" is no whole number: want one as 255 or 0xff`,
		"010": `"010": a number that begins with 0 may mean one of base 8: write 10, or 0o10`, "300": "300 is too large a number", "-1": `"-1": want a number that is not negative`,
	} {
		if got, err := Unsigned(text, 8); err == nil || err.Error() != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func TestChoice(t *testing.T) {
	for _, c := range []struct {
		text    string
		choices []string
		want    string
	}{
		{"on", []string{"on", "off"}, "on"}, {"TRUE", []string{"on", "off"}, "on"}, {"0", []string{"on", "off"}, "off"}, {" no ", []string{"auto", "off"}, "off"},
		{"yes", []string{"auto", "off"}, ""}, {"Debug", []string{"debug", "info"}, "debug"}, {"1", []string{"v1", "v2"}, ""}, {"", []string{"on", "off"}, ""},
	} {
		if got, ok := Choice(c.text, c.choices); got != c.want || ok != (c.want != "") {
			t.Errorf("%q of %q: %q, %v", c.text, c.choices, got, ok)
		}
	}
	if IsOff("0") || IsOff("x") || !IsOff("off") || !IsOff("False") {
		t.Error("what turns off")
	}
	for want, choices := range map[string][]string{"": nil, `"a"`: {"a"}, `"a" or "b"`: {"a", "b"}, `"a", "b" or "c"`: {"a", "b", "c"}} {
		if got := OneOf(choices); got != want {
			t.Errorf("%q: %q", choices, got)
		}
		if got, want := Or(choices), strings.ReplaceAll(want, `"`, ""); got != want {
			t.Errorf("%q: %q", choices, got)
		}
	}
}
