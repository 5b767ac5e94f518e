package screen

import (
	"fmt"
	"strings"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/show"
)

// clock is how times of day are told.
const clock = "15:04:05"

// head is how sluice stands, and its rates. Where there are few lines, the first
// comes alone.
func (m *Model) head() []*line {
	lines := []*line{m.standing()}
	if m.height >= 12 && m.sample != nil {
		for i := range m.sample.Networks {
			n := &m.sample.Networks[i]
			if r := m.rates[n.Network]; r != nil {
				lines = append(lines, m.network(n, r))
			}
		}
		lines = append(lines, m.counts())
	}
	return lines
}

// standing is the first line: which sluice, how it is, and when.
func (m *Model) standing() *line {
	l := &line{}
	version, state, age := "sluice", "", ""
	if s := m.status; s != nil {
		version = "sluice " + strings.TrimPrefix(show.Text(s.Version), "sluice ")
		state = show.Text(s.State)
		if m.sample != nil {
			age = ", up " + show.Duration(m.sample.Time.Sub(s.Started).Truncate(time.Second))
		}
	}
	l.add(strong, version).add(plain, "  ")
	switch {
	case m.lost != nil && m.sample == nil:
		return l.add(bad, "no answer yet, trying again")
	case m.lost != nil:
		return l.add(bad, "no answer since "+m.lostAt.Local().Format(clock)+", trying again")
	case m.sample == nil:
		return l.add(faint, "waiting for the first sample")
	case !m.sample.Health.Well:
		l.add(bad, "NOT WELL: "+show.Text(strings.Join(m.sample.Health.Causes, "; ")))
	case state == "serving":
		l.add(good, state).add(plain, age)
	default:
		l.add(amber, state).add(plain, age)
	}
	if m.paused {
		l.add(plain, "  ").add(chosen, " PAUSED ")
	}
	at := m.sample.Time.Local().Format(clock)
	use := fmt.Sprintf("cpu %.0f%%  %s  %s", m.sample.CPU*100, show.Bytes(m.sample.Memory), at)
	if l.width+len(use) < m.width {
		at = use
	}
	return l.right(plain, m.width, at)
}

// Widths of the parts of a network's line: those that do not change, and the least of
// a sparkline that is worth its place.
const (
	networkWidth = len("tcp  up  12.3 Mbit/s   down  12.3 Mbit/s ")
	leastSpark   = 5
)

// network is the rates of one, with what they were.
func (m *Model) network(n *api.Network, r *rates) *line {
	l := (&line{}).add(strong, strings.ToUpper(n.Network)+"  ")
	width := (m.width - networkWidth) / 2
	if width < leastSpark {
		width = 0
	}
	l.add(faint, "up ").add(plain, fmt.Sprintf("%11s", show.Rate(n.RateUp)))
	if width > 0 {
		l.add(plain, " ").add(up, r.up.spark(width, m.look))
	}
	l.add(faint, "  down ").add(plain, fmt.Sprintf("%11s", show.Rate(n.RateDown)))
	if width > 0 {
		l.add(plain, " ").add(down, r.down.spark(width, m.look))
	}
	return l
}

// counts is how many flows there are, of how many that there may be, and how many
// come and go.
func (m *Model) counts() *line {
	s, l := m.sample, &line{}
	connections, sessions := show.Count(s.Connections), show.Count(s.Sessions)
	if m.status != nil && m.status.Limits.Connections > 0 {
		connections += "/" + show.Count(m.status.Limits.Connections)
	}
	if m.status != nil && m.status.Limits.Sessions > 0 {
		sessions += "/" + show.Count(m.status.Limits.Sessions)
	}
	l.add(faint, "connections ").add(plain, connections)
	if s.Dialing > 0 {
		l.add(faint, ", ").add(plain, show.Count(s.Dialing)).add(faint, " dialing")
	}
	l.add(plain, m.turnover("tcp"))
	l.add(faint, "   sessions ").add(plain, sessions).add(plain, m.turnover("udp"))
	return l
}

// turnover is how many flows of a network come and go a second.
func (m *Model) turnover(network string) string {
	for i := range m.sample.Networks {
		if n := &m.sample.Networks[i]; n.Network == network && m.sample.Interval > 0 {
			return fmt.Sprintf(" +%s -%s/s", show.Count(n.Opened), show.Count(n.Ended))
		}
	}
	return ""
}

// tabs names the views, and how the one in effect is sorted.
func (m *Model) tabs() *line {
	l := &line{}
	for i, name := range viewNames {
		look, text := faint, fmt.Sprintf(" %d %s ", i+1, name)
		if m.width < 60 && i != m.view {
			text = fmt.Sprintf(" %d ", i+1)
		}
		if i == m.view {
			look = chosen
		}
		l.add(look, text)
		if i == viewRefusals && m.sample != nil {
			if rate := refusalRate(m.sample); rate > 0 {
				l.add(amber, show.Count(rate)+"/s")
			}
		}
	}
	t := &m.tables[m.view]
	by := "by " + sortsOf(m.view)[t.sort].name
	if t.reversed {
		by += ", reversed"
	}
	if l.width+len(by)+len(" bit/s, ") < m.width && m.view != viewRefusals {
		by = "bit/s, " + by
	}
	return l.right(faint, m.width, by)
}

func refusalRate(s *api.Sample) (sum float64) {
	for i := range s.Refusals {
		sum += s.Refusals[i].Rate
	}
	return sum
}
