package report

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"sluice/bench/compare"
	"sluice/cmd/sluice/page/browser"
)

// leastType is the least size of type that a page may show, in pixels.
const leastType = 11

// checkType lists the texts that are shown smaller than leastType, measured on the
// screen: a figure that is made smaller makes its type smaller.
const checkType = `(least => [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()) && !['title', 'style', 'script'].includes(e.tagName.toLowerCase()))
  .map(e => [e.textContent.trim(), parseFloat(getComputedStyle(e).fontSize) * (e.ownerSVGElement ? e.getScreenCTM().a : 1)])
  .filter(([, size]) => size < least).map(([text, size]) => size.toFixed(1) + ' ' + text))(%d)`

// checkWithin lists the texts of figures that stand over their edges.
const checkWithin = `[...document.querySelectorAll('svg text')].filter(e => e.checkVisibility()).filter(e => {
  const t = e.getBoundingClientRect(), s = e.ownerSVGElement.getBoundingClientRect();
  return t.left < s.left - 1 || t.right > s.right + 1 || t.top < s.top - 1 || t.bottom > s.bottom + 1;
}).map(e => e.textContent)`

// checkApart lists the texts of figures that lie over each other.
const checkApart = `[...document.querySelectorAll('svg')].filter(s => s.checkVisibility()).flatMap(s => {
  const all = [...s.querySelectorAll('text')].map(e => [e.textContent, e.getBoundingClientRect()]);
  return all.flatMap(([a, p], i) => all.slice(i + 1).filter(([, q]) =>
    Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 3).map(([b]) => a + ' / ' + b));
})`

// TestInChromium shows the page to a real browser, on a phone and on a screen, dark and
// light: it is no wider than the window, its type is large enough, its figures hold
// their text.
func TestInChromium(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(manyPeers(), dir); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	b := browser.Start(t)
	t.Run("readme", func(t *testing.T) { testReadme(t, b, dir) })
	tab := b.Open(t, s.URL+"/report.html")
	for _, width := range []int64{360, 768, 1200} {
		for _, scheme := range []string{"light", "dark"} {
			tab.Scheme(scheme)
			tab.Size(width, 900, width < 500)
			where := fmt.Sprintf("%d pixels, %s", width, scheme)
			if wide := browser.Eval[int64](tab, `document.documentElement.scrollWidth`); wide > width {
				t.Errorf("%s: the page is %d wide", where, wide)
			}
			for what, check := range map[string]string{"type too small": fmt.Sprintf(checkType, leastType), "text over an edge": checkWithin, "text over text": checkApart} {
				if bad := browser.Eval[[]string](tab, check); len(bad) > 0 {
					t.Errorf("%s: %s: %d times, as %.10q", where, what, len(bad), bad)
				}
			}
			want := map[string]string{"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
			for _, ground := range []string{`getComputedStyle(document.body).backgroundColor`, `getComputedStyle(document.querySelector('svg .f-paper')).fill`} {
				if got := browser.Eval[string](tab, ground); got != want {
					t.Errorf("%s: %s is %s", where, ground, got)
				}
			}
			shot(t, tab, fmt.Sprintf("report-%d-%s", width, scheme))
		}
	}
	if faults := tab.Faults(); len(faults) > 0 {
		t.Errorf("faults: %q", faults)
	}
}

// testReadme shows the figures of the repository's README as GitHub does: within 752
// pixels on a screen, 328 on a phone. Each is shown at nearly the size that it was drawn
// for, so its type is not below leastType.
func testReadme(t *testing.T, b *browser.Browser, dir string) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	pictures := regexp.MustCompile(`(?s)<picture>.*?</picture>`).FindAllString(string(text), -1)
	if len(pictures) < 2 {
		t.Fatalf("README.md has %d pictures", len(pictures))
	}
	page := fmt.Sprintf(`<!DOCTYPE html><link rel="icon" href="data:,"><meta name="viewport" content="width=device-width"><style>img { max-width: 100%%; }</style>
		<body style="margin: 0 16px"><div style="max-width: 752px; margin: auto">%s</div>`, strings.Join(pictures, "<p>"))
	mux := http.NewServeMux()
	mux.Handle("/plots/", http.FileServer(http.Dir(dir)))
	mux.Handle("/bench/plots/", http.FileServer(http.Dir("../..")))
	mux.HandleFunc("/readme", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	tab := b.Open(t, s.URL+"/readme")
	for _, width := range []int64{320, 360, 1024, 1200} {
		for _, scheme := range []string{"light", "dark"} {
			tab.Scheme(scheme)
			tab.Size(width, 900, width < 500)
			tab.Reload()
			tab.Wait(`[...document.images].every(i => i.complete && i.naturalWidth)`)
			scale := browser.Eval[float64](tab, `Math.min(...[...document.images].map(i => i.width / i.naturalWidth))`)
			if small*scale < leastType {
				t.Errorf("%d pixels: type of %.1f pixels", width, small*scale)
			}
			if wide := browser.Eval[int64](tab, `document.documentElement.scrollWidth`); wide > width {
				t.Errorf("%d pixels: the page is %d wide", width, wide)
			}
			shot(t, tab, fmt.Sprintf("readme-%d-%s", width, scheme))
		}
	}
	for _, name := range []string{"plots/overview", "plots/overview-narrow", "plots/work-http-100", "plots/work-http-100-narrow", "plots/latency-http-100", "bench/plots/overview-narrow"} {
		alone := b.Open(t, s.URL+"/"+name+".svg")
		for what, check := range map[string]string{"text over an edge": checkWithin, "text over text": checkApart} {
			if bad := browser.Eval[[]string](alone, check); len(bad) > 0 {
				t.Errorf("%s: %s: %q", name, what, bad)
			}
		}
	}
}

// manyPeers is a comparison with all kinds of peers, names that are long, and works
// that have their own yardstick.
func manyPeers() *compare.Result {
	r := example()
	r.Peers = []compare.Peer{{Name: "sluice", Kind: "sluice", Way: compare.TProxy}, {Name: "a sluice whose clients are shown and whose name is long", Kind: "sluice"}}
	for _, kind := range compare.Kinds() {
		r.Peers = append(r.Peers, compare.Peer{Name: kind, Kind: kind, Way: compare.TProxy, Version: "1.2.3", Command: []string{kind, "--with-a-long-argument=/some/where/else"},
			Checks: []compare.Check{{Name: "reset", Verdict: compare.Wrong, Detail: "an orderly end"}}})
	}
	model := r.Works[0].Rows[0].Samples
	sweeps := r.Works[1:]
	r.Works = nil
	for i, w := range compare.Works()[:13] {
		res := compare.WorkResult{Work: w}
		for k, p := range r.Peers {
			if w.Transport == "udp" && (p.Kind == compare.HAProxy || p.Kind == compare.SingBox || p.Kind == "redsocks") {
				continue
			}
			row := compare.Row{Peer: p.Name}
			for _, s := range model {
				values := map[compare.Metric]float64{}
				for m, v := range s.Values {
					if p.Kind != compare.Direct || m != compare.ProxyCPU && m != compare.RSS {
						values[m] = v * (1 + float64(k*(i%5))/3)
					}
				}
				row.Samples = append(row.Samples, compare.Sample{Round: s.Round, Values: values})
			}
			res.Rows = append(res.Rows, row)
		}
		r.Works = append(r.Works, res)
	}
	for i := range sweeps {
		sweeps[i].Rows = r.Works[0].Rows
	}
	r.Works = append(r.Works, sweeps...)
	r.Settle()
	return r
}

// shot leaves a picture among the test's artifacts (go test -artifacts), for people to
// look at.
func shot(t *testing.T, tab *browser.Tab, name string) {
	tab.Shot(t.ArtifactDir(), name)
}
