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
// each yardstick of transparent proxies, where it loses, and what was wrong with it.
// It is empty where no sluice was measured.
func (r *Result) Headline() []string {
	at := slices.IndexFunc(r.Peers, func(p Peer) bool { return p.Kind == "sluice" && p.Role == "" && p.LeftOut == "" })
	if at < 0 {
		return nil
	}
	own := r.Peers[at]
	var sentences, losses []string
	rivals := false
	for _, base := range r.usedBases(own.Name) {
		sentences = append(sentences, r.beside(own.Name, base))
		if base != Direct { // no proxy can but lose to what it is added to
			rivals = true
			losses = append(losses, r.losses(own.Name, base)...)
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

// usedBases are the bases of the works that a peer took part in, but for itself.
func (r *Result) usedBases(peer string) []string {
	var bases []string
	for _, w := range r.compared(peer) {
		if !slices.Contains(bases, w.Base) {
			bases = append(bases, w.Base)
		}
	}
	return bases
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

// beside says what a peer delivers and costs beside a base.
func (r *Result) beside(peer, base string) string {
	ratios := map[Metric][]float64{}
	n := 0
	for _, w := range r.compared(peer) {
		if w.Base != base {
			continue
		}
		n++
		for _, m := range []Metric{Rate, ProxyCPU, RSS} {
			if s := w.Row(peer).Ratio[m]; s.N > 0 && (m != RSS || w.Memory) {
				ratios[m] = append(ratios[m], s.Median)
			}
		}
	}
	var parts []string
	for _, p := range []struct {
		metric Metric
		say    string
	}{{Rate, "delivers %s as much"}, {ProxyCPU, "takes %s the CPU per unit"}, {RSS, "%s the memory where that counts"}} {
		if len(ratios[p.metric]) > 0 {
			parts = append(parts, fmt.Sprintf(p.say, rangeOf(ratios[p.metric])))
		}
	}
	if base == Direct {
		base = Plain
	}
	if len(parts) == 0 {
		return fmt.Sprintf("Beside %s nothing of %s could be measured.", base, peer)
	}
	works := "1 work"
	if n > 1 {
		works = fmt.Sprintf("%d works", n)
	}
	if ratios[ProxyCPU] == nil && ratios[RSS] != nil {
		parts[len(parts)-1] = "takes " + parts[len(parts)-1]
	}
	text := parts[len(parts)-1]
	if len(parts) > 1 {
		text = strings.Join(parts[:len(parts)-1], ", ") + " and " + text
	}
	return fmt.Sprintf("Beside %s (%s) %s %s.", base, works, peer, text)
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

// losses names where a peer loses to a base.
func (r *Result) losses(peer, base string) []string {
	var list []string
	for _, w := range r.compared(peer) {
		if w.Base != base {
			continue
		}
		for _, m := range []Metric{Rate, ProxyCPU, P99, RSS} {
			if s := w.Row(peer).Ratio[m]; s.N > 0 && (m != RSS || w.Memory) && Loses(m, s.Median) {
				list = append(list, fmt.Sprintf("%s of %q (%s to %s)", w.MetricTitle(m), w.Title, Times(s.Median), base))
			}
		}
	}
	return list
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
