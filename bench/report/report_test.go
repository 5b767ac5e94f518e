package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/bench/compare"
)

// example has bars, latencies, a fault, a sweep and a peer that was left out.
func example() *compare.Result {
	samples := func(scale float64) []compare.Sample {
		var list []compare.Sample
		for round, wobble := range []float64{0.9, 1, 1.2} {
			list = append(list, compare.Sample{Round: round, Values: map[compare.Metric]float64{
				compare.Rate: 5e4 * scale * wobble, compare.ProxyCPU: 1e-5 / scale, compare.MachineCPU: 4e-5 * wobble,
				compare.P50: 1e-3 / scale, compare.P99: 9e-3 * wobble, compare.P999: 2e-2, compare.RSS: 2e7 / scale}})
		}
		return list
	}
	rows := func() []compare.Row {
		return []compare.Row{{Peer: "sluice", Samples: samples(1.2)}, {Peer: "sluice <copy>", Samples: samples(1.1)}, {Peer: "haproxy", Samples: samples(1)}, {Peer: "<i>other", Samples: samples(1)}}
	}
	r := &compare.Result{Schema: compare.Schema, Base: []string{"haproxy"}, Machine: compare.Machine{TCP: "bbr"}, Congestion: []string{"cubic"}, Rounds: 3, RoundSeconds: 1,
		Peers: []compare.Peer{{Name: "sluice", Kind: "sluice", Way: compare.TProxy}, {Name: "sluice <copy>", Kind: "sluice"},
			{Name: "haproxy", Kind: "haproxy", Checks: []compare.Check{{Name: "reset", Verdict: compare.Wrong, Detail: "an orderly end"}}},
			{Name: "xray", Kind: "xray", LeftOut: "xray is not installed"}, {Name: "<i>other", Kind: `"><script>`}},
		Works: []compare.WorkResult{{Work: compare.Works()[5], Rows: rows()}},
	}
	r.Works[0].Congestion = "cubic"
	r.Works[0].Rows[2].Samples[1].Fault = "wrk: 2 errors"
	for _, x := range []float64{1, 10, 1000} {
		r.Works = append(r.Works, compare.WorkResult{Work: compare.Work{Key: "sweep-size", Title: "UDP echo", Unit: "datagram", Sweep: compare.SweepSize, X: x}, Rows: rows()})
	}
	r.Settle()
	return r
}

func TestReportIsWholeAndSelfContained(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path, err := Write(example(), dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"At one glance", "TCP with cubic (the machine&#39;s is bbr)", "TCP with cubic. Ratios to haproxy.", "HTTP keep-alive, 100 connections", "Targets", "an orderly end",
		"left out: xray is not installed", "wrk: 2 errors", "sluice &lt;copy&gt;", "How cost grows", "payload each way",
		"<title>haproxy: 50.0k/s (45.0k/s to 60.0k/s)</title>", `<p class="headline">Beside haproxy (1 work) sluice delivers 1.20× as much`,
		"<title>sluice, bytes per datagram 1k: "} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the page has no %q", want)
		}
	}
	if bytes.Contains(b, []byte("<script")) || bytes.Contains(b, []byte("<i>")) {
		t.Error("a name or a kind became an element")
	}
	if outside := regexp.MustCompile(`(src|href)="?(http|/|\.)`).Find(b); outside != nil {
		t.Errorf("the page needs another file: %s", outside)
	}
	if n := bytes.Count(b, []byte("<svg")); n != bytes.Count(b, []byte("</svg>")) || n < 8 {
		t.Errorf("%d figures", n)
	}
	checkPlots(t, filepath.Join(dir, "plots"))
}

func checkPlots(t *testing.T, dir string) {
	t.Helper()
	svgs, _ := filepath.Glob(filepath.Join(dir, "*.svg"))
	if len(svgs) < 16 || len(svgs)%2 != 0 {
		t.Errorf("%d figures: %v", len(svgs), svgs)
	}
	for _, name := range svgs {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "NaN") || strings.Contains(string(text), "Inf") {
			t.Errorf("%s: a coordinate is no number", name)
		}
		d := xml.NewDecoder(bytes.NewReader(text))
		for err == nil {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(string(text), "prefers-color-scheme:dark") || !strings.Contains(string(text), `class="f-paper"`) {
			t.Errorf("%s has no ground of its own", name)
		}
	}
}

// One round, one peer, nothing measured: a report all the same.
func TestReportOfLittle(t *testing.T) {
	for _, r := range []*compare.Result{
		{Schema: compare.Schema},
		{Peers: []compare.Peer{{Name: "sluice", Kind: "sluice"}}, Works: []compare.WorkResult{
			{Work: compare.Works()[0], Rows: []compare.Row{{Peer: "sluice", Samples: []compare.Sample{{Fault: "nothing came through"}}}}}}},
	} {
		r.Settle()
		if _, err := Write(r, t.TempDir()); err != nil {
			t.Error(err)
		}
	}
}

func TestWrap(t *testing.T) {
	l := letters{size: 10}
	for _, c := range []struct {
		text  string
		width float64
		want  []string
	}{
		{"", 100, []string{""}},
		{"one two", 1000, []string{"one two"}},
		{"one two three", 40, []string{"one", "two", "three"}},
		{"incomprehensibilities at once", 20, []string{"incomprehensibilities", "at", "once"}},
	} {
		if got := wrap(c.text, c.width, l); !slices.Equal(got, c.want) {
			t.Errorf("%q in %v: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

// A label that has no room is left out, but never that of 1.
func TestApart(t *testing.T) {
	s := scale{low: 0.5, high: 2, to: 60, log: true}
	var got []string
	for _, t := range apart([]tick{{0.5, "0.5×"}, {0.9, "0.9×"}, {1, "1×"}, {2, "2×"}}, s, letters{size: 12}) {
		got = append(got, t.label)
	}
	if want := []string{"1×", "0.5×", "2×"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTidy(t *testing.T) {
	for text, want := range map[string]string{"50.0k/s": "50k/s", "1.50 ms": "1.5 ms", "100 ms": "100 ms", "0.30×": "0.3×", "1.00": "1", "20×": "20×", "10.5 MB": "10.5 MB"} {
		if got := tidy(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
