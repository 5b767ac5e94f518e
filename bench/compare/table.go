package compare

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the whole comparison as tables for a terminal.
func (r *Result) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	congestion := r.CongestionText()
	if congestion != "" {
		congestion = ", " + congestion
	}
	fmt.Fprintf(t, "%s, Linux %s, %d CPUs%s. Up to %d rounds of %gs: medians, ± half of what lies between least and greatest.\n",
		r.Machine.CPU, r.Machine.Kernel, r.Machine.CPUs, congestion, r.Rounds, r.RoundSeconds)
	fmt.Fprintf(t, "1.00x: ratio to the first of %s that took part (where none did: to the one named), paired by round.\n", strings.Join(r.Base, ", "))
	r.writeHeadline(t)
	for _, work := range r.Works {
		if work.Sweep == "" {
			work.writeText(t)
		}
	}
	for _, s := range r.Series() {
		s.writeText(t)
	}
	r.writeChecks(t)
	r.writeTargets(t)
	r.writePeers(t)
	return t.Flush()
}

func (w *WorkResult) writeText(t io.Writer) {
	metrics := w.Metrics()
	to := ""
	if w.Base != "" {
		to = ", ratios to " + w.Base
	}
	fmt.Fprintf(t, "\n%s [%s]%s\n%s\n", w.Title, w.Key, to, strings.Join(append([]string{"peer"}, w.headings(metrics)...), "\t"))
	for _, row := range w.Rows {
		fmt.Fprintf(t, "%s\t", row.Peer)
		for _, m := range metrics {
			fmt.Fprintf(t, "%s\t", w.cell(row, m))
		}
		if faults := row.Faults(); faults != "" {
			fmt.Fprintf(t, "! %s", faults)
		}
		fmt.Fprintln(t)
	}
	for _, out := range w.LeftOut {
		fmt.Fprintf(t, "%s\tleft out: %s\n", out.Peer, out.Why)
	}
}

// writeText writes the medians of a sweep, a table for each metric.
func (s *Series) writeText(t io.Writer) {
	for _, m := range []Metric{Rate, ProxyCPU, P99, RSS} {
		fmt.Fprintf(t, "\n%s: %s, by %s\npeer", s.Title, s.Points[0].MetricTitle(m), SweepTitle(s.Sweep))
		for _, p := range s.Points {
			fmt.Fprintf(t, "\t%g", p.X)
		}
		fmt.Fprintln(t)
		for _, peer := range s.Peers() {
			fmt.Fprint(t, peer)
			for _, p := range s.Points {
				cell := "-"
				if row := p.Row(peer); row != nil && row.Summary[m].N > 0 {
					cell = p.Show(m, row.Summary[m].Median)
				}
				fmt.Fprintf(t, "\t%s", cell)
			}
			fmt.Fprintln(t)
		}
	}
	for _, p := range s.Points {
		for _, out := range p.LeftOut {
			fmt.Fprintf(t, "  left out at %g: %s: %s\n", p.X, out.Peer, out.Why)
		}
	}
}

// Metrics are those that at least one row has, in the order of the table.
func (w *WorkResult) Metrics() []Metric {
	var list []Metric
	for _, m := range []Metric{Rate, ProxyCPU, MachineCPU, P50, P99, RSS, PSS, FDs, Lost} {
		for _, row := range w.Rows {
			if s, ok := row.Summary[m]; ok && (m != Lost || s.Max > 0) && (w.Memory || m != PSS && m != FDs) {
				list = append(list, m)
				break
			}
		}
	}
	return list
}

func (w *WorkResult) headings(metrics []Metric) []string {
	var list []string
	for _, m := range metrics {
		switch m {
		case ProxyCPU:
			list = append(list, "proxy CPU/"+w.Unit)
		case MachineCPU:
			list = append(list, "machine CPU/"+w.Unit)
		default:
			list = append(list, string(m))
		}
	}
	return list
}

// cell is "48.1k/s ±3% 1.05x": median, half of the range for the rate and the
// proxy's CPU, ratio to the base.
func (w *WorkResult) cell(row Row, m Metric) string {
	s, ok := row.Summary[m]
	if !ok {
		return "-"
	}
	text := w.Show(m, s.Median)
	if s.N > 1 && s.Median != 0 && (m == Rate || m == ProxyCPU) {
		text += fmt.Sprintf(" ±%.0f%%", 50*(s.Max-s.Min)/s.Median)
	}
	if ratio, ok := row.Ratio[m]; ok && m != FDs && m != Lost {
		text += fmt.Sprintf(" %.2fx", ratio.Median)
	}
	return text
}

// Faults says in how many rounds something went wrong, and what at first; empty
// where nothing did.
func (r *Row) Faults() string {
	n, first := 0, ""
	for _, s := range r.Samples {
		if s.Fault != "" {
			if n++; first == "" {
				first = s.Fault
			}
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d rounds: %s", n, len(r.Samples), first)
}

func (r *Result) writeChecks(t io.Writer) {
	fmt.Fprint(t, "\nCorrectness\npeer")
	for _, name := range CheckNames() {
		fmt.Fprintf(t, "\t%s", name[0])
	}
	fmt.Fprintln(t)
	var wrong []string
	for _, p := range r.Peers {
		if len(p.Checks) == 0 {
			continue
		}
		fmt.Fprint(t, p.Name)
		for _, name := range CheckNames() {
			c := p.Check(name[0])
			fmt.Fprintf(t, "\t%s", map[string]string{Right: "ok", Wrong: "WRONG", Absent: "-"}[c.Verdict])
			if c.Verdict == Wrong {
				wrong = append(wrong, fmt.Sprintf("  %s, %s: %s", p.Name, c.Name, c.Detail))
			}
		}
		fmt.Fprintln(t)
	}
	for _, line := range wrong {
		fmt.Fprintln(t, line)
	}
}

func (r *Result) writeTargets(t io.Writer) {
	if len(r.Targets) == 0 {
		return
	}
	fmt.Fprint(t, "\nTargets\nwork\tmetric\tpeer\tagainst yardstick\tat least\taim\tverdict\n")
	for _, v := range r.Targets {
		title := v.Work
		if w := r.Work(v.Work); w != nil {
			title = w.Title
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", title, v.Metric, v.Peer, v.Reached(), v.Wanted(), v.Aimed(), v.Verdict)
	}
}

// Reached is the ratio to the yardstick: "1.07x haproxy".
func (v Verdict) Reached() string {
	if v.Verdict == Unknown {
		return "- " + v.Yardstick
	}
	text := fmt.Sprintf("%.2fx %s", v.Ratio, v.Yardstick)
	if v.AimYardstick != "" && v.AimRatio != 0 {
		text += fmt.Sprintf(", %.2fx %s", v.AimRatio, v.AimYardstick)
	}
	return text
}

// Wanted is the bound that must be kept: "1.05x" or "at most 0.90x".
func (v Verdict) Wanted() string { return v.bound() + fmt.Sprintf("%.2fx", v.AtLeast) }

// Aimed is the bound that is aimed at: "1.20x", "0.80x direct".
func (v Verdict) Aimed() string {
	if v.Aim == 0 {
		return "-"
	}
	return strings.TrimSpace(v.bound() + fmt.Sprintf("%.2fx %s", v.Aim, v.AimYardstick))
}

func (v Verdict) bound() string {
	if v.Metric == Rate {
		return ""
	}
	return "at most "
}

func (r *Result) writePeers(t io.Writer) {
	fmt.Fprint(t, "\nPeers\n")
	for _, p := range r.Peers {
		if p.LeftOut != "" {
			fmt.Fprintf(t, "%s\tleft out: %s\n", p.Name, p.LeftOut)
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", p.Name, p.Way, p.Version, p.Note)
	}
}
