package load

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteText writes the result for people: each figure beside the ceiling, the
// faults, and what failed.
func (r *Result) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	c := r.Ceiling
	fmt.Fprintf(w, "%s to %s: %d flows, %d bytes, %.2f s, tool CPU %.2f s\n",
		r.Spec.Test, r.Spec.Target, r.Spec.Flows, r.Spec.Size, r.Seconds, r.ToolCPU)
	if c == nil {
		c = &Ceiling{}
		fmt.Fprint(t, "\tmeasured\t\n")
	} else {
		fmt.Fprint(t, "\tmeasured\tceiling\tshare\t\n")
	}
	row := func(name string, got, ceiling float64, format func(float64) string) {
		fmt.Fprintf(t, "%s\t%s\t", name, format(got))
		if ceiling > 0 {
			fmt.Fprintf(t, "%s\t%.0f%%\t", format(ceiling), 100*got/ceiling)
		}
		fmt.Fprintln(t)
	}
	plain := func(v float64) string { return fmt.Sprintf("%.0f", v) }
	if r.Unit != "byte" {
		row(r.Unit+"s/s", r.Rate, c.Rate, plain)
	}
	row("Mbit/s", r.BitsPerSecond/1e6, c.BitsPerSecond/1e6, plain)
	if r.Latency != nil {
		beside := c.Latency
		if beside == nil {
			beside = &Latency{}
		}
		for i, p := range r.Latency.named() {
			row(p.name, p.us, beside.named()[i].us, microseconds)
		}
	}
	if r.JitterUS > 0 {
		row("jitter", r.JitterUS, 0, microseconds)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	r.Faults.writeText(w, r.Sent)
	for _, f := range r.Failures {
		fmt.Fprintln(w, "FAILED:", f)
	}
	return nil
}

type namedPercentile struct {
	name string
	us   float64
}

// named lists the figures of the text in their order.
func (l *Latency) named() []namedPercentile {
	return []namedPercentile{{"mean", l.MeanUS}, {"p50", l.P50US}, {"p90", l.P90US}, {"p99", l.P99US},
		{"p99.9", l.P999US}, {"p99.99", l.P9999US}, {"max", l.MaxUS}}
}

func microseconds(us float64) string {
	return time.Duration(us * float64(time.Microsecond)).Round(100 * time.Nanosecond).String()
}

func (f *Faults) writeText(w io.Writer, sent uint64) {
	none := true
	for _, c := range []struct {
		name string
		n    uint64
	}{{"lost", f.Lost}, {"duplicate", f.Duplicate}, {"reordered", f.Reordered}, {"corrupt", f.Corrupt}, {"mixed", f.Mixed},
		{"wrong source", f.WrongSource}, {"bytes short", f.Short}, {"errors", f.Errors}} {
		if c.n > 0 {
			share := ""
			if sent >= c.n { // errors may be of connections that sent nothing
				share = fmt.Sprintf(" (%.3g%% of %d sent)", 100*float64(c.n)/float64(sent), sent)
			}
			fmt.Fprintf(w, "%s: %d%s\n", c.name, c.n, share)
			none = false
		}
	}
	if none {
		fmt.Fprintln(w, "no faults")
	}
	if f.FirstError != "" {
		fmt.Fprintf(w, "first error: %q\n", f.FirstError)
	}
}
