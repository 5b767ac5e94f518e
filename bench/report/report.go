package report

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"

	"sluice/bench/compare"
)

// page is the HTML template.
//
//go:embed report.html.tmpl
var page string

// view is what the page shows.
type view struct {
	*compare.Result
	DarkStyle template.CSS
	Wide      template.HTML // the overview, for screens
	Narrow    template.HTML // and for phones
	Checks    [][2]string
	Works     []workView
	Latencies []template.HTML
	Sweeps    []sweepView
}

type workView struct {
	*compare.WorkResult
	Panels  []template.HTML
	Metrics []compare.Metric
}

type sweepView struct {
	Title, By string
	Figures   []template.HTML
	LeftOut   []string // "at 10000: haproxy: why"
}

// Write writes report.html and the figures (plots/NAME.svg for screens, NAME-narrow.svg
// for phones) into dir, which it makes, and returns the page's path. The page needs no
// other file.
func Write(r *compare.Result, dir string) (path string, err error) {
	plots := filepath.Join(dir, "plots")
	if err := os.MkdirAll(plots, 0o755); err != nil {
		return "", err
	}
	v, err := newView(r, plots)
	if err != nil {
		return "", err
	}
	t, err := template.New("report").Funcs(functions(r)).Parse(page)
	if err != nil {
		return "", fmt.Errorf("page: %w", err)
	}
	path = filepath.Join(dir, "report.html")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	if err := errors.Join(t.Execute(f, v), f.Close()); err != nil {
		return "", fmt.Errorf("page: %w", err)
	}
	return path, nil
}

// newView draws every figure.
func newView(r *compare.Result, plots string) (*view, error) {
	v := &view{Result: r, DarkStyle: template.CSS(darkStyle()), Checks: compare.CheckNames()}
	all := looks(r.Peers)
	var errs []error
	drawn := func(f figure) []template.HTML {
		errs = append(errs, f.save(plots))
		return f.inline(pageWidth)
	}
	if f, ok := overviewFigure(r, all); ok {
		v.Narrow, v.Wide = drawn(f)[0], f.inline(screenWidth)[0]
	}
	for i := range r.Works {
		w := &r.Works[i]
		if w.Sweep != "" {
			continue
		}
		v.Works = append(v.Works, workView{WorkResult: w, Panels: drawn(barsOf(w, all)), Metrics: w.Metrics()})
		if f, ok := latencyFigure(w, all); ok {
			v.Latencies = append(v.Latencies, drawn(f)...)
		}
	}
	for _, s := range r.Series() {
		sv := sweepView{Title: s.Title, By: compare.SweepTitle(s.Sweep)}
		for _, f := range sweepFigures(s, all) {
			sv.Figures = append(sv.Figures, drawn(f)...)
		}
		for _, p := range s.Points {
			for _, out := range p.LeftOut {
				sv.LeftOut = append(sv.LeftOut, fmt.Sprintf("at %g: %s: %s", p.X, out.Peer, out.Why))
			}
		}
		v.Sweeps = append(v.Sweeps, sv)
	}
	return v, errors.Join(errs...)
}

// functions are what the page's template calls.
func functions(r *compare.Result) template.FuncMap {
	return template.FuncMap{
		"join":    strings.Join,
		"gib":     func(b uint64) string { return fmt.Sprintf("%.0f GiB", float64(b)/(1<<30)) },
		"minutes": func(s float64) string { return fmt.Sprintf("%.0f\u00a0min", s/60) },
		"sign": func(verdict string) string {
			return map[string]string{compare.Right: "✓", compare.Wrong: "✗", compare.Absent: "–",
				compare.AimReached: "✓✓ aim reached", compare.Enough: "✓ enough", compare.Below: "✗ below", compare.Unknown: "? not measured"}[verdict]
		},
		"work": func(key string) string {
			if w := r.Work(key); w != nil {
				return w.Title
			}
			return key
		},
		"metric": func(v compare.Verdict) string {
			if w := r.Work(v.Work); w != nil {
				return w.MetricTitle(v.Metric)
			}
			return string(v.Metric)
		},
		"check": func(p compare.Peer, name string) compare.Check { return p.Check(name) },
		"values": func(w workView, row compare.Row, m compare.Metric) string {
			s, ok := row.Summary[m]
			if !ok {
				return "–"
			}
			return spreadText(w.Work, m, s)
		},
		"ratio": func(row compare.Row, m compare.Metric) string {
			s, ok := row.Ratio[m]
			if !ok {
				return ""
			}
			return compare.Times(s.Median)
		},
	}
}
