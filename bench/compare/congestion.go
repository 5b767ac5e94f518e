package compare

import (
	"fmt"
	"slices"
	"strings"
)

// cubic is the common congestion control: Linux' own default.
const cubic = "cubic"

// withCongestion gives works over TCP a congestion control: each the first, and bulk
// streams, whose figures hang on it, each of the others as well, one row after the
// other. The first keeps the work's key, so what refers to that (a target) means one
// thing.
func withCongestion(works []Work, names []string) []Work {
	var all []Work
	for _, w := range works {
		if w.Transport != "tcp" {
			all = append(all, w)
			continue
		}
		for i, name := range names {
			row := w
			row.Congestion = name
			if w.load == iperf {
				row.Title += ", " + name
			}
			if i > 0 {
				row.Key += "-" + name
			}
			if i == 0 || w.load == iperf {
				all = append(all, row)
			}
		}
	}
	return all
}

// CongestionText says with what congestion control works over TCP were measured; empty
// where nobody knows.
func (r *Result) CongestionText() string {
	names := r.Congestion
	if len(names) == 0 { // of a file from before there was a choice
		names = []string{r.Machine.TCP}
	}
	if names[0] == "" {
		return ""
	}
	text := "TCP with " + names[0]
	if r.Machine.TCP != "" && names[0] != r.Machine.TCP {
		text += fmt.Sprintf(" (the machine's is %s)", r.Machine.TCP)
	}
	more := slices.DeleteFunc(slices.Clone(names[1:]), func(name string) bool {
		return !slices.ContainsFunc(r.Works, func(w WorkResult) bool { return w.Congestion == name })
	})
	if len(more) > 0 {
		text += ", bulk streams with " + strings.Join(more, ", ") + " too"
	}
	return text
}
