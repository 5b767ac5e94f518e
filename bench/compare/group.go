package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// group is the works that a sentence of the headline sums up: those of one base and,
// over TCP, one congestion control. Datagrams are with the first of these.
type group struct {
	base       string
	congestion string
	say        bool // which it is: there are others
	works      []*WorkResult
}

// groups are the works in which a peer has ratios to another.
func (r *Result) groups(peer string) []*group {
	first := ""
	if len(r.Congestion) > 0 {
		first = r.Congestion[0]
	}
	var all []*group
	several := false
	for _, w := range r.compared(peer) {
		name := cmp.Or(w.Congestion, first)
		several = several || name != first
		at := slices.IndexFunc(all, func(g *group) bool { return g.base == w.Base && g.congestion == name })
		if at < 0 {
			at = len(all)
			all = append(all, &group{base: w.Base, congestion: name})
		}
		all[at].works = append(all[at].works, w)
	}
	for _, g := range all {
		g.say = several && slices.ContainsFunc(g.works, func(w *WorkResult) bool { return w.Congestion != "" })
	}
	return all
}

// beside says what a peer delivers and costs beside the base.
func (g *group) beside(peer string) string {
	ratios := map[Metric][]float64{}
	for _, w := range g.works {
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
	base := g.base
	if base == Direct {
		base = Plain
	}
	if len(parts) == 0 {
		return fmt.Sprintf("Beside %s (%s) nothing of %s could be measured.", base, g.count(), peer)
	}
	if ratios[ProxyCPU] == nil && ratios[RSS] != nil {
		parts[len(parts)-1] = "takes " + parts[len(parts)-1]
	}
	text := parts[len(parts)-1]
	if len(parts) > 1 {
		text = strings.Join(parts[:len(parts)-1], ", ") + " and " + text
	}
	return fmt.Sprintf("Beside %s (%s) %s %s.", base, g.count(), peer, text)
}

// count is "1 work", or "4 works, TCP with cubic".
func (g *group) count() string {
	text := "1 work"
	if n := len(g.works); n > 1 {
		text = fmt.Sprintf("%d works", n)
	}
	if g.say {
		text += ", TCP with " + g.congestion
	}
	return text
}

// losses names where a peer loses to the base.
func (g *group) losses(peer string) []string {
	var list []string
	for _, w := range g.works {
		for _, m := range []Metric{Rate, ProxyCPU, P99, RSS} {
			if s := w.Row(peer).Ratio[m]; s.N > 0 && (m != RSS || w.Memory) && Loses(m, s.Median) {
				list = append(list, fmt.Sprintf("%s of %q (%s to %s)", w.MetricTitle(m), w.Title, Times(s.Median), g.base))
			}
		}
	}
	return list
}
