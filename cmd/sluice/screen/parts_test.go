package screen

import (
	"math"
	"slices"
	"strings"
	"testing"

	"sluice/cmd/sluice/api"
)

func TestSpark(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		values []float64
		width  int
		want   string
	}{
		{nil, 3, "   "}, {[]float64{1}, 0, ""}, {[]float64{0, 0}, 3, "   "}, {[]float64{8, 1, 0, nan, 4}, 7, "  █▁  ▄"},
		{[]float64{1000, 1, 2, 8}, 3, "▁▂█"}, {[]float64{-1, 1e-9}, 2, " █"},
	} {
		h := history{}
		for _, v := range c.values {
			h.add(v)
		}
		if got := h.spark(c.width, Look{Blocks: true}); got != c.want {
			t.Errorf("%v in %d: %q, want %q", c.values, c.width, got, c.want)
		}
	}
	h := history{}
	for i := range 3 * mostHistory {
		h.add(float64(i % 8))
	}
	if got := h.spark(8, Look{}); len(h.values) != mostHistory || len(strings.Trim(got, string(ascii)+" ")) != 0 || len(got) != 8 {
		t.Errorf("%d values, %q", len(h.values), got)
	}
}

func TestLook(t *testing.T) {
	for env, want := range map[string]bool{
		"": false, "LANG=C": false, "LANG=en_GB.UTF-8": true, "LANG=C.utf8": true, "LANG=C.UTF-8 LC_ALL=C": false,
		"LC_CTYPE=C.UTF-8 LANG=C": true, "LANG=C.UTF-8 TERM=linux": false,
	} {
		got := LookOf(func(name string) string {
			for pair := range strings.FieldsSeq(env) {
				if value, ok := strings.CutPrefix(pair, name+"="); ok {
					return value
				}
			}
			return ""
		})
		if got.Blocks != want {
			t.Errorf("%q: %v", env, got)
		}
	}
}

func TestParseFilter(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"10.0.0.7 udp":                      "client=10.0.0.7&network=udp",
		"10.0.0.0/8 [fd00::7]:53":           "client=10.0.0.0%2F8&client=%5Bfd00%3A%3A7%5D%3A53",
		"fd00::7 held :443 :53":             "client=fd00%3A%3A7&held=true&port=443&port=53",
		".example.com destination=10.1.1.1": "destination=.example.com&destination=10.1.1.1",
		"state=bulk idle=1m rate=1000":      "idle=1m0s&rate=1000&state=bulk",
		"sort=age limit=3 after=x tcp":      "network=tcp",
		"sctp":                              "destination=sctp",
	} {
		q, err := parseFilter(text)
		if got := q.Values().Encode(); err != nil || got != want {
			t.Errorf("%q: %s, want %s: %v", text, got, want, err)
		}
	}
	for text, says := range map[string]string{
		":x": "port", "network=sctp": "network", "state=odd": "state", "nonsense=1": "nonsense", "client=example.com": "client", "10.0.0.300": "destination",
	} {
		if _, err := parseFilter(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEntry(t *testing.T) {
	e := entry{}
	e.insert("two words\nand\x1b[2J名")
	if want := `two words and\x1b[2J\u540d`; e.text != want {
		t.Errorf("%q, want %q", e.text, want)
	}
	e.erase(true)
	e.erase(false)
	e.erase(true)
	if e.text != "two " {
		t.Errorf("%q", e.text)
	}
	e.erase(true)
	e.erase(true)
	e.erase(false)
	e.insert(strings.Repeat("x", mostEntry+1))
	if e.text != "" {
		t.Errorf("%q", e.text)
	}
}

func TestWidths(t *testing.T) {
	columns := []column{{share: 1}, {width: 5, from: 40}, {share: 2}, {width: 5}}
	for width, want := range map[int][]int{80: {21, 5, 43, 5}, 39: {10, -1, 20, 5}, 9: {0, -1, 0, 5}, 0: {0, -1, 0, 5}} {
		got := widthsOf(columns, width)
		if !slices.Equal(got, want) {
			t.Errorf("%d: %v, want %v", width, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for text, want := range map[string]string{"": "", "one two three": "one two/three", "longerthanit is": "longerth/anit is"} {
		if got := strings.Join(wrap(text, 8), "/"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestTrends(t *testing.T) {
	all := trends{}
	a, b := api.Talker{Address: "a", RateUp: 1, RateDown: 3}, api.Talker{Address: "b", RateUp: 8}
	all.add([]api.Talker{a, b})
	a.RateUp = 5
	all.add([]api.Talker{a})
	if got := all.of("a", Look{Blocks: true}); !strings.HasSuffix(got, " ▄█") {
		t.Errorf("%q", got)
	}
	if got := all.of("b", Look{Blocks: true}); !strings.HasSuffix(got, " █ ") || all.of("c", Look{}) != "" {
		t.Errorf("%q", got)
	}
	for range trendUnseen {
		all.add(nil)
	}
	if len(all) != 1 {
		t.Errorf("%d are remembered", len(all))
	}
	all.add(nil)
	if len(all) != 0 {
		t.Errorf("%d are remembered", len(all))
	}
}
