package show

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestNumbers(t *testing.T) {
	for n, want := range map[float64][3]string{
		0:             {"0 B", "0 bit/s", "0"},
		0.04:          {"0.0 B", "0.3 bit/s", "0.0"},
		0.5:           {"0.5 B", "4 bit/s", "0.5"},
		999:           {"999 B", "7.99 kbit/s", "999"},
		999.5:         {"1.00 kB", "8.00 kbit/s", "1.00k"},
		9994:          {"9.99 kB", "80.0 kbit/s", "9.99k"},
		9996:          {"10.0 kB", "80.0 kbit/s", "10.0k"},
		99960:         {"100 kB", "800 kbit/s", "100k"},
		999499:        {"999 kB", "8.00 Mbit/s", "999k"},
		999501:        {"1.00 MB", "8.00 Mbit/s", "1.00M"},
		125e6:         {"125 MB", "1.00 Gbit/s", "125M"},
		-1:            {"0 B", "0 bit/s", "0"},
		math.NaN():    {"0 B", "0 bit/s", "0"},
		18446744e12:   {"18.4 EB", "148 Ebit/s", "18.4E"},
		1234567890123: {"1.23 TB", "9.88 Tbit/s", "1.23T"},
	} {
		if got := [3]string{Bytes(n), Rate(n), Count(n)}; got != want {
			t.Errorf("%v: %q, want %q", n, got, want)
		}
	}
	if got := Bits(125000); got != "1.00M" {
		t.Errorf("bits: %s", got)
	}
	if got := Bytes(uint64(math.MaxUint64)); got != "18.4 EB" {
		t.Errorf("all of 64 bits: %s", got)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 0: "0s", 120 * time.Millisecond: "120ms", 59*time.Second + 999*time.Millisecond: "59s",
		time.Minute: "1m00s", 3*time.Minute + 12*time.Second: "3m12s", 2*time.Hour + 4*time.Minute: "2h04m",
		77 * time.Hour: "3d05h", 2400 * time.Hour: "100d",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestTextAndCut(t *testing.T) {
	for text, want := range map[string]string{
		"[2001:db8::1]:443": "[2001:db8::1]:443",
		"a\x1b[2Jb":         `a\x1b[2Jb`,
		"naïve\n名":          `na\u00efve\n\u540d`,
		"\xff\u202e":        `\xff\u202e`,
	} {
		if got := Text(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for width, want := range map[int]string{
		20: "www.example.com:443", 19: "www.example.com:443", 12: "www.~com:443", 3: "w~3", 2: "ww", 1: "w", 0: "", -1: "",
	} {
		if got := Cut("www.example.com:443", width); got != want {
			t.Errorf("to %d: %q, want %q", width, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	table := Table{
		Columns: []Column{{Title: "CLIENT", Least: 8}, {Title: "DESTINATION", Least: 11}, {Title: "DOWN", Right: true}},
		Rows: [][]string{
			{"10.0.0.7:40000", "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535", "98.8M"},
			{"10.0.0.8:1", "192.0.2.1:443", "0"},
		},
	}
	for width, want := range map[int][]string{
		0: {
			"CLIENT          DESTINATION                                      DOWN",
			"10.0.0.7:40000  [2001:db8:1234:5678:9abc:def0:1234:5678]:65535  98.8M",
			"10.0.0.8:1      192.0.2.1:443                                       0",
		},
		44: {
			"CLIENT          DESTINATION             DOWN",
			"10.0.0.7:40000  [2001:d~4:5678]:65535  98.8M",
			"10.0.0.8:1      192.0.2.1:443              0",
		},
		22: {"CLIENT    DESTINATION", "10.~0000  [200~:65535", "10.~.8:1  192.~.1:443"},
		4:  {"C~NT", "1~00", "1~:1"},
	} {
		got := table.Lines(width)
		if !slices.Equal(got, want) {
			t.Errorf("%d:\n%s\nwant\n%s", width, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("plain", 3)
	f.Add("\x1b]0;title\x07\xff", 5)
	f.Fuzz(func(t *testing.T, text string, width int) {
		got := Text(text)
		if strings.ContainsFunc(got, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
			t.Errorf("%q: %q", text, got)
		}
		if cut := Cut(got, width); len(cut) > max(width, 0) {
			t.Errorf("%q cut to %d: %q", got, width, cut)
		}
	})
}
