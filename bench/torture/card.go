package torture

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Schema names the form of a Card as JSON.
const Schema = "sluice-bench/torture/1"

// Card is what all figures said. The package's doc describes its JSON.
type Card struct {
	Schema  string    `json:"schema"`
	Start   time.Time `json:"start"`
	Seconds float64   `json:"seconds"`
	Sluice  string    `json:"sluice"`
	Kernel  string    `json:"kernel"`
	CPUs    int       `json:"cpus"`
	Short   bool      `json:"short"`
	Figures []Result  `json:"figures"`
}

// Verdicts.
const (
	OK     = "ok"
	Missed = "missed"
	Failed = "error" // it could not be measured
)

// Result is one figure's.
type Result struct {
	Name     string    `json:"name"`
	Claim    string    `json:"claim"`
	Verdict  string    `json:"verdict"`
	Seconds  float64   `json:"seconds"`
	Tries    int       `json:"tries"`
	Readings []Reading `json:"readings"`
	Error    string    `json:"error,omitempty"`
}

// settle gives the verdict: an error before a miss. A figure without a reading that
// has a target has shown nothing.
func (r *Result) settle(err error) {
	r.Verdict = OK
	held := false
	for _, reading := range r.Readings {
		held = held || reading.Bound != ""
		if !reading.OK {
			r.Verdict = Missed
		}
	}
	switch {
	case err != nil:
		r.Verdict, r.Error = Failed, strings.ReplaceAll(err.Error(), "\n", "; ")
	case !held:
		r.Verdict, r.Error = Failed, "nothing was measured"
	}
}

// nearMiss is how far, as a factor, chance may carry a statistical reading past its target.
const nearMiss = 4

// byChance tells that nothing was missed but what is statistical, and not by far.
func (r *Result) byChance() bool {
	if r.Verdict != Missed {
		return false
	}
	for _, reading := range r.Readings {
		far := reading.Value > nearMiss*reading.Target
		if reading.Bound == Least {
			far = nearMiss*reading.Value < reading.Target
		}
		if !reading.OK && (!reading.Statistical || far) {
			return false
		}
	}
	return true
}

// Verdict is the whole card's: ok, or the worst of its figures'.
func (c *Card) Verdict() string {
	worst := OK
	for _, f := range c.Figures {
		if f.Verdict == Failed || f.Verdict == Missed && worst == OK {
			worst = f.Verdict
		}
	}
	return worst
}

// Write writes the card as JSON.
func (c *Card) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(c)
}

// nameWidth and verdictWidth are the columns of a line, in characters.
const (
	nameWidth    = 10
	verdictWidth = 7
)

// WriteLine writes a figure as one line: what was missed stands first.
func (r *Result) WriteLine(w io.Writer) error {
	readings := slices.Clone(r.Readings)
	slices.SortStableFunc(readings, func(a, b Reading) int {
		if a.OK == b.OK {
			return 0
		} else if b.OK {
			return -1
		}
		return 1
	})
	var said []string
	if r.Tries > 1 {
		said = append(said, fmt.Sprintf("try %d", r.Tries))
	}
	if r.Error != "" {
		said = append(said, "! "+r.Error)
	}
	for _, reading := range readings {
		said = append(said, reading.String())
	}
	_, err := fmt.Fprintf(w, "%-*s %-*s %6.1fs  %s\n", nameWidth, r.Name, verdictWidth, r.Verdict, r.Seconds, strings.Join(said, ", "))
	return err
}

// WriteEnd writes what stands below the lines.
func (c *Card) WriteEnd(w io.Writer) error {
	counts := map[string]int{}
	for _, f := range c.Figures {
		counts[f.Verdict]++
	}
	form := "long form"
	if c.Short {
		form = "short form: statistical targets are wider than the long form's"
	}
	_, err := fmt.Fprintf(w, "%d of %d figures ok, %d missed, %d not measured, in %.0fs (%s)\n",
		counts[OK], len(c.Figures), counts[Missed], counts[Failed], c.Seconds, form)
	return err
}
