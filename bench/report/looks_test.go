package report

import (
	"math"
	"strconv"
	"testing"
)

// Marks stand off their ground by 3 to 1, text by 4.5 to 1, dark and light.
func TestContrast(t *testing.T) {
	paper := tones()["paper"]
	for name, p := range tones() {
		want := 3.0
		switch name {
		case "paper", "rule":
			continue
		case "ink", "faint":
			want = 4.5
		}
		for _, c := range [][2]string{{p.light, paper.light}, {p.dark, paper.dark}} {
			if got := contrast(t, c[0], c[1]); got < want {
				t.Errorf("%s: %s on %s is %.2f to 1, want %v", name, c[0], c[1], got, want)
			}
		}
	}
}

// contrast is WCAG 2.2's contrast ratio.
func contrast(t *testing.T, a, b string) float64 {
	high, low := luminance(t, a), luminance(t, b)
	if high < low {
		high, low = low, high
	}
	return (high + 0.05) / (low + 0.05)
}

// luminance is WCAG 2.2's relative luminance of #rrggbb.
func luminance(t *testing.T, color string) float64 {
	v, err := strconv.ParseUint(color[1:], 16, 24)
	if err != nil {
		t.Fatal(err)
	}
	part := func(shift int) float64 {
		c := float64(v>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}
