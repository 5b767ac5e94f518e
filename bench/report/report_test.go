package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"

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
		return []compare.Row{{Peer: "sluice", Samples: samples(1.2)}, {Peer: "sluice <copy>", Samples: samples(1.1)}, {Peer: "haproxy", Samples: samples(1)}}
	}
	r := &compare.Result{Schema: compare.Schema, Base: []string{"haproxy"}, Rounds: 3, RoundSeconds: 1,
		Peers: []compare.Peer{{Name: "sluice", Kind: "sluice", Way: compare.TProxy}, {Name: "sluice <copy>", Kind: "sluice"},
			{Name: "haproxy", Kind: "haproxy", Checks: []compare.Check{{Name: "reset", Verdict: compare.Wrong, Detail: "an orderly end"}}},
			{Name: "xray", Kind: "xray", LeftOut: "xray is not installed"}},
		Works: []compare.WorkResult{{Work: compare.Works()[5], Rows: rows()}},
	}
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
	for _, want := range []string{"At one glance", "HTTP keep-alive, 100 connections", "Targets", "an orderly end",
		"left out: xray is not installed", "wrk: 2 errors", "sluice &lt;copy&gt;", "How cost grows", "payload each way"} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("the page has no %q", want)
		}
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
	if len(svgs) < 8 {
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
		f, err := os.Open(strings.TrimSuffix(name, ".svg") + ".png")
		if err != nil {
			t.Fatal(err)
		}
		if c, err := png.DecodeConfig(f); err != nil || c.Width < 800 || c.Height < 100 {
			t.Errorf("%s: %v, %d x %d", f.Name(), err, c.Width, c.Height)
		}
		_ = f.Close()
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

func TestSpreadOut(t *testing.T) {
	for _, c := range []struct{ at, want []vg.Length }{
		{[]vg.Length{10, 50}, []vg.Length{10, 50}},
		{[]vg.Length{50, 50}, []vg.Length{45, 55}},
		{[]vg.Length{0, 0, 0}, []vg.Length{0, 10, 20}},
		{[]vg.Length{99, 100}, []vg.Length{90, 100}},
		{[]vg.Length{40, 41, 52}, []vg.Length{34.333, 44.333, 54.333}},
	} {
		got := slices.Clone(c.at)
		spreadOut(got, 10, 0, 100)
		for i := range got {
			if math.Abs(float64(got[i]-c.want[i])) > 0.01 {
				t.Errorf("%v: %v, want %v", c.at, got, c.want)
				break
			}
		}
	}
}

func TestTidy(t *testing.T) {
	for text, want := range map[string]string{"50.0k/s": "50k/s", "1.50 ms": "1.5 ms", "100 ms": "100 ms", "0.30×": "0.3×", "1.00": "1", "20×": "20×", "10.5 MB": "10.5 MB"} {
		if got := tidy(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
