package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/bench/compare"
)

// tone is a colour by what it stands for: the kind of a peer, or a shade of what is
// no data. It has a light and a dark form.
type tone string

// pair is a tone's colour on a light and on a dark ground.
type pair struct{ light, dark string }

// tones are all colours. Hues are Okabe and Ito's, made darker or lighter until each
// stands off its ground by 3 to 1 (WCAG 2.2, 1.4.11); text by 4.5 to 1 (1.4.3).
func tones() map[tone]pair {
	return map[tone]pair{
		"ink": {"#1f2328", "#e6edf3"}, "faint": {"#59636e", "#9aa5b1"}, "rule": {"#d1d9e0", "#3d444d"}, "paper": {"#ffffff", "#0d1117"},

		"sluice":            {"#0072b2", "#58b4f0"}, // blue
		compare.Direct:      {"#444444", "#c9c9c9"}, // black, softened
		compare.HAProxy:     {"#d05a00", "#ff8f4d"}, // vermilion
		"nginx":             {"#008a64", "#35c998"}, // bluish green
		"redsocks":          {"#b5598f", "#e69cc5"}, // reddish purple
		compare.SingBox:     {"#a87300", "#f2bb45"}, // orange
		"xray":              {"#2f8fbf", "#8fd0f5"}, // sky blue
		"hev-socks5-tproxy": {"#808080", "#a0a0a0"}, // grey
	}
}

// fill, stroke and both are the attributes of an element that is painted so. The dark
// form is the style sheet's; programs that know none draw the light one.
func (t tone) fill() string { return fmt.Sprintf(`class="f-%s" fill="%s"`, t, tones()[t].light) }

func (t tone) stroke() string { return fmt.Sprintf(`class="s-%s" stroke="%s"`, t, tones()[t].light) }

func (t tone) both(fill tone) string {
	return fmt.Sprintf(`class="s-%s f-%s" stroke="%s" fill="%s"`, t, fill, tones()[t].light, tones()[fill].light)
}

// darkStyle is the style sheet of dark grounds, for figures in a page and alone.
func darkStyle() string {
	var b strings.Builder
	b.WriteString("@media screen and (prefers-color-scheme:dark){")
	all := tones()
	for _, t := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, ".f-%[1]s{fill:%[2]s}.s-%[1]s{stroke:%[2]s}", t, all[t].dark)
	}
	return b.String() + "}"
}

// Shapes of markers: paths around 0,0.
const (
	circle   = "M4 0A4 4 0 1 1 -4 0A4 4 0 1 1 4 0Z"
	square   = "M-3.5-3.5H3.5V3.5H-3.5Z"
	triangle = "M0-4.5L4.2 3.2H-4.2Z"
	diamond  = "M0-4.8L4.8 0L0 4.8L-4.8 0Z"
	plus     = "M-4.5 0H4.5M0-4.5V4.5"
	cross    = "M-3.5-3.5L3.5 3.5M3.5-3.5L-3.5 3.5"
)

// look is how a peer is drawn.
type look struct {
	tone   tone
	shape  string
	hollow bool
	dashes string // of its line; empty: none
	width  float64
	own    bool // a sluice: its name is bold
}

// looks gives every peer a look; variants of sluice share the hue.
func looks(peers []compare.Peer) map[string]look {
	others := map[string]look{
		compare.Direct: {shape: plus, dashes: "5 4"}, compare.HAProxy: {shape: square}, "nginx": {shape: triangle},
		"redsocks": {shape: cross}, compare.SingBox: {shape: triangle, hollow: true}, "xray": {shape: square, hollow: true},
		"hev-socks5-tproxy": {shape: diamond},
	}
	variants := []look{
		{shape: circle, width: 2.4}, {shape: circle, hollow: true, width: 1.7, dashes: "7 3"},
		{shape: diamond, hollow: true, width: 1.7, dashes: "2 3"}, {shape: diamond, width: 1.7, dashes: "9 3 2 3"},
	}
	all := map[string]look{}
	sluices := map[compare.Role]int{}
	for _, p := range peers {
		l := others[p.Kind]
		l.width = 1.6
		if p.Kind == "sluice" {
			l = variants[sluices[p.Role]%len(variants)]
			sluices[p.Role]++
		}
		l.tone, l.own = tone(p.Kind), p.Kind == "sluice"
		if _, known := tones()[l.tone]; !known { // a file's
			l.tone, l.shape = "faint", circle
		}
		all[p.Name] = l
	}
	return all
}
