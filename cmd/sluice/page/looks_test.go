package page_test

import (
	"fmt"
	"image/png"
	"os"
	"testing"

	"sluice/cmd/sluice/page/browser"
)

// testLooks draws the page in all sizes and themes. `go test -artifacts` keeps the
// pictures.
func testLooks(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	f.pass(1, 124)
	few := sample(124)
	few.Flows = few.Flows[:12]
	f.send("sample", few)
	tab.Wait(`document.querySelectorAll('#flow-table tbody tr').length === 12`)
	tab.Click("#flow-table tbody tr:nth-child(2) .open")
	tab.Wait(`document.querySelector('tr.detail')`)
	for _, scheme := range []string{"light", "dark"} {
		tab.Scheme(scheme)
		for _, width := range []int64{360, 800, 1600} {
			tab.Size(width, 900, width == 360)
			look(t, tab, scheme, int(width))
		}
	}
	// What was chosen is stronger than the system, also after a reload.
	browser.Eval[bool](tab, `(() => { const s = document.querySelector('#theme'); s.value = 'light'; s.dispatchEvent(new Event('change')); return true; })()`)
	tab.Reload()
	if ground := browser.Eval[string](tab, `getComputedStyle(document.body).backgroundColor`); ground != "rgb(243, 245, 247)" {
		t.Errorf("light was chosen, and the ground is %s", ground)
	}
}

func look(t *testing.T, tab *browser.Tab, scheme string, width int) {
	t.Helper()
	name := fmt.Sprintf("%s-%d", scheme, width)
	if wide := browser.Eval[int](tab, `document.documentElement.scrollWidth`); wide > width {
		t.Errorf("%s: %d pixels wide", name, wide)
	}
	const outside = `[...document.querySelectorAll('main button, main dd, main td, main input')].filter(e => e.checkVisibility()).filter(e => {
		const r = e.getBoundingClientRect(), s = e.closest('section').getBoundingClientRect();
		return r.right > s.right + 0.5 || r.left < s.left - 0.5;
	}).map(e => e.outerHTML).slice(0, 3).join(' ')`
	if found := browser.Eval[string](tab, outside); found != "" {
		t.Errorf("%s: not within its part: %s", name, found)
	}
	if width == 360 {
		if small := browser.Eval[string](tab, `[...document.querySelectorAll('main button')].filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 40).map(e => e.outerHTML).join()`); small != "" {
			t.Errorf("%s: too small for a finger: %s", name, small)
		}
	}
	file, err := os.Open(tab.Shot(t.ArtifactDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	if picture.Bounds().Dx() != width {
		t.Errorf("%s: the picture is %v", name, picture.Bounds())
	}
	red, _, _, _ := picture.At(2, picture.Bounds().Dy()/2).RGBA()
	if dark := red < 0x4000; dark != (scheme == "dark") {
		t.Errorf("%s: the ground has red %#x", name, red)
	}
}

func testFormats(t *testing.T, b *browser.Browser) {
	f := serve(t)
	tab := open(t, b, f)
	browser.Eval[bool](tab, `import('/page/format.js').then(m => { globalThis.f = m; return true; })`)
	for expression, want := range map[string]string{
		`f.rate(0)`: "0 bit/s", `f.rate(0.05)`: "0.4 bit/s", `f.rate(124.9)`: "999 bit/s", `f.rate(124.95)`: "1.00 kbit/s", `f.rate(1e6)`: "8.00 Mbit/s",
		`f.rate(12.49e6)`: "99.9 Mbit/s", `f.rate(12.5e6)`: "100 Mbit/s", `f.rate(1.25e9)`: "10.0 Gbit/s", `f.rate(null)`: "–", `f.rate(NaN)`: "–",
		`f.tick(1.25e9)`: "10 Gbit/s", `f.tick(312.5e3)`: "2.5 Mbit/s", `f.tick(12.5e6)`: "100 Mbit/s", `f.tick(0)`: "0 bit/s",
		`f.volume(999)`: "999 B", `f.volume(1000)`: "1.00 kB", `f.volume(18446744073709551615)`: "18447 PB", `f.volume(undefined)`: "0 B",
		`f.whole(1234567)`: "1\u202f234\u202f567", `f.whole(12)`: "12",
		`f.span(-3)`: "0 s", `f.span(59.9)`: "59 s", `f.span(61)`: "1 min 1 s", `f.span(3600)`: "1 h", `f.span(36060)`: "10 h", `f.span(9e5)`: "10 d", `f.span(NaN)`: "–",
		`f.quote('a\u0000b\u202e\ud800')`: `a\u{0}b\u{202e}\u{d800}`, `f.quote('zürich 東京')`: "zürich 東京", `f.quote(null)`: "",
		`f.plural(1, 'flow')`: "1 flow", `f.plural(0, 'flow')`: "0 flows",
	} {
		if got := browser.Eval[string](tab, expression); got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}
