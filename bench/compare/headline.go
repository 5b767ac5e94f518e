package compare

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Loses tells that a ratio is on the wrong side of 1 by more than two measurements of
// one thing differ.
func Loses(m Metric, ratio float64) bool {
	if m == Rate {
		return ratio < noSlower
	}
	return ratio > 1/noSlower
}

// lossesNamed bounds how many losses a headline names.
const lossesNamed = 4

// Headline is the comparison in a few sentences: what the first sluice delivers beside
// each yardstick of transparent proxies, apart for each congestion control, where it
// loses, and what was wrong with it. It is empty where no sluice was measured.
func (r *Result) Headline() []string {
	at := slices.IndexFunc(r.Peers, func(p Peer) bool { return p.Kind == "sluice" && p.Role == "" && p.LeftOut == "" })
	if at < 0 {
		return nil
	}
	own := r.Peers[at]
	var sentences, losses []string
	rivals := false
	for _, g := range r.groups(own.Name) {
		sentences = append(sentences, g.beside(own.Name))
		if g.base != Direct { // no proxy can but lose to what it is added to
			rivals = true
			losses = append(losses, g.losses(own.Name)...)
		}
	}
	switch {
	case len(sentences) == 0:
		sentences = append(sentences, fmt.Sprintf("Nobody was measured that %s could be held against.", own.Name))
	case len(losses) > 0:
		more := ""
		if n := len(losses) - lossesNamed; n > 0 {
			losses, more = losses[:lossesNamed], fmt.Sprintf("; and in %d more", n)
		}
		sentences = append(sentences, "It loses in "+strings.Join(losses, "; ")+more+".")
	case rivals:
		sentences = append(sentences, "It loses nowhere by more than what two measurements differ by (3%).")
	}
	return append(sentences, r.standing(own)...)
}

// compared are the works of transparent proxies in which a peer has ratios to another.
func (r *Result) compared(peer string) []*WorkResult {
	var works []*WorkResult
	for i := range r.Works {
		w := &r.Works[i]
		if row := w.Row(peer); w.Sweep == "" && w.Role == "" && w.Base != "" && w.Base != peer && row != nil && len(row.Ratio) > 0 {
			works = append(works, w)
		}
	}
	return works
}

// rangeOf writes ratios: "1.07× to 1.79× (median 1.12×)".
func rangeOf(ratios []float64) string {
	s := SpreadOf(ratios)
	if least, most := Times(s.Min), Times(s.Max); least != most {
		text := least + " to " + most
		if s.N > 2 {
			text += fmt.Sprintf(" (median %s)", Times(s.Median))
		}
		return text
	}
	return Times(s.Median)
}

// Times writes a ratio: 0.04×, 1.11×, 17.4×.
func Times(ratio float64) string {
	if ratio >= 10 {
		return fmt.Sprintf("%.1f×", ratio)
	}
	return fmt.Sprintf("%.2f×", ratio)
}

// standing says how many targets a sluice reached, what it answered wrongly, and in
// which of its works something went wrong.
func (r *Result) standing(own Peer) []string {
	var sentences []string
	reached, known := 0, 0
	for _, v := range r.Targets {
		if v.Peer == own.Name && v.Verdict != Unknown {
			known++
			if v.Verdict != Below {
				reached++
			}
		}
	}
	if known > 0 {
		sentences = append(sentences, fmt.Sprintf("Targets reached: %d of the %d that could be judged.", reached, known))
	}
	var wrong, faults []string
	for _, c := range own.Checks {
		if c.Verdict == Wrong {
			wrong = append(wrong, c.Name)
		}
	}
	if len(wrong) > 0 {
		sentences = append(sentences, "It answered wrongly in the checks: "+strings.Join(wrong, ", ")+".")
	}
	for i := range r.Works {
		if row := r.Works[i].Row(own.Name); row != nil && row.Faults() != "" {
			faults = append(faults, r.Works[i].name())
		}
	}
	if len(faults) > 0 {
		sentences = append(sentences, "Something went wrong in: "+strings.Join(faults, ", ")+".")
	}
	return sentences
}

// writeHeadline writes the sentences, each on a line of its own.
func (r *Result) writeHeadline(t io.Writer) {
	for _, s := range r.Headline() {
		fmt.Fprintln(t, s)
	}
}
