package screen

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/client"
	"sluice/cmd/sluice/show"
)

// opened is a flow of which all is shown, as it was when it was asked for last.
type opened struct {
	flow   api.Flow
	isGone bool
	amiss  string // why it is not known anew
}

// askOpened asks for the opened flow anew.
func (m *Model) askOpened() tea.Cmd {
	if m.opened == nil || m.opened.isGone {
		return nil
	}
	id := m.opened.flow.ID
	return func() tea.Msg {
		f, err := m.source.Flow(m.ctx, id)
		if err != nil {
			f.ID = id
		}
		return flowMsg{f, err}
	}
}

// meet takes the rates of a sample, if the flow is in it.
func (o *opened) meet(s *api.Sample) {
	for i := range s.Flows {
		if o != nil && s.Flows[i].ID == o.flow.ID {
			o.flow.RateUp, o.flow.RateDown = s.Flows[i].RateUp, s.Flows[i].RateDown
		}
	}
}

func (o *opened) take(msg flowMsg) {
	if o == nil || msg.flow.ID != o.flow.ID {
		return // another was opened, or none is any longer
	}
	switch {
	case msg.err == nil:
		if msg.flow.RateUp == nil { // they take two looks: those of the last sample stay
			msg.flow.RateUp, msg.flow.RateDown = o.flow.RateUp, o.flow.RateDown
		}
		o.flow, o.amiss = msg.flow, ""
	case client.IsGone(msg.err):
		o.isGone = true
	default:
		o.amiss = show.Text(msg.err.Error())
	}
}

// pressOpened takes a key while a flow is open.
func (m *Model) pressOpened(name string) tea.Cmd {
	switch name {
	case "q":
		return tea.Quit
	case "k":
		m.question = askFlow(&m.opened.flow)
	case "K":
		m.question = m.askClient(host(m.opened.flow.Client))
	case "?":
		m.help = true
	case "esc", "enter", "left", "backspace":
		m.opened = nil
	}
	return nil
}

// lines are all fields.
func (o *opened) lines(m *Model) []*line {
	f := &o.flow
	title := (&line{}).add(chosen, " flow "+show.Text(f.ID)+" ")
	switch {
	case o.isGone:
		title.add(bad, "  has ended")
	case o.amiss != "":
		title.add(bad, "  "+o.amiss)
	}
	lines := []*line{title}
	for _, field := range o.fields(m.sample.Time) {
		if field[1] != "" {
			lines = append(lines, (&line{}).add(faint, fmt.Sprintf("  %-13s", field[0])).add(plain, show.Text(field[1])))
		}
	}
	return lines
}

// fields are names and values; what a flow does not have is empty.
func (o *opened) fields(now time.Time) [][2]string {
	f := &o.flow
	held, rule := "", ""
	if f.Held {
		held = "yes: its client has used up its rate"
	}
	if f.Rule != nil {
		rule = strconv.Itoa(*f.Rule)
	}
	return [][2]string{
		{"network", f.Network},
		{"state", f.State},
		{"held back", held},
		{"client", f.Client},
		{"destination", f.Destination},
		{"name", f.Name},
		{"dialed", f.Dialed},
		{"source", f.Source},
		{"inbound", f.Inbound},
		{"outbound", f.Outbound},
		{"server", f.Server},
		{"rule", rule},
		{"mark", strconv.FormatUint(uint64(f.Mark), 10)},
		{"started", moment(f.Started, now)},
		{"active", moment(f.Active, now)},
		{"up", volume(f.BytesUp, f.DatagramsUp, f.RateUp)},
		{"down", volume(f.BytesDown, f.DatagramsDown, f.RateDown)},
		{"cause", f.Cause},
	}
}

// moment is a time, and how long ago it was.
func moment(t, now time.Time) string {
	return t.Local().Format("2006-01-02 15:04:05") + ", " + show.Duration(now.Sub(t).Truncate(time.Second)) + " ago"
}

// volume is what went one way, exactly, and how fast.
func volume(bytes, datagrams uint64, rate *float64) string {
	parts := []string{show.Bytes(bytes)}
	if bytes >= 1000 {
		parts[0] += fmt.Sprintf(" (%d)", bytes)
	}
	if datagrams > 0 {
		parts = append(parts, fmt.Sprintf("%d datagrams", datagrams))
	}
	if rate != nil {
		parts = append(parts, show.Rate(*rate))
	}
	return strings.Join(parts, ", ")
}
