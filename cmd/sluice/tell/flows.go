package tell

import (
	"net"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/show"
)

// column is one that a table of flows may have.
type column struct {
	show.Column
	cell func(f *api.Flow, now time.Time) string
}

// addressLeast is how many columns an address keeps: an IPv4 address, and its port
// for the most part.
const addressLeast = 15

// columns are those that there are always, and then those for which there may be
// room, the most useful first.
func columns(rated bool) (always, more []column) {
	up := column{show.Column{Title: "UP", Right: true}, func(f *api.Flow, _ time.Time) string { return show.Bytes(f.BytesUp) }}
	down := column{show.Column{Title: "DOWN", Right: true}, func(f *api.Flow, _ time.Time) string { return show.Bytes(f.BytesDown) }}
	always = []column{
		{show.Column{Title: "ID"}, func(f *api.Flow, _ time.Time) string { return show.Text(f.ID) }},
		{show.Column{Title: "CLIENT", Least: addressLeast}, func(f *api.Flow, _ time.Time) string { return show.Text(f.Client) }},
		{show.Column{Title: "DESTINATION", Least: addressLeast}, func(f *api.Flow, _ time.Time) string { return destination(f) }},
		{show.Column{Title: "STATE", Least: 8}, func(f *api.Flow, _ time.Time) string { return state(f) }},
	}
	if rated {
		always = append(always,
			column{show.Column{Title: "UP/s", Right: true}, func(f *api.Flow, _ time.Time) string { return rate(f.RateUp) }},
			column{show.Column{Title: "DOWN/s", Right: true}, func(f *api.Flow, _ time.Time) string { return rate(f.RateDown) }})
		more = []column{up, down}
	} else {
		always = append(always, up, down)
	}
	always = append(always, column{show.Column{Title: "AGE", Right: true}, func(f *api.Flow, now time.Time) string { return show.Duration(now.Sub(f.Started)) }})
	return always, append(more,
		column{show.Column{Title: "IDLE", Right: true}, func(f *api.Flow, now time.Time) string { return show.Duration(now.Sub(f.Active)) }},
		column{show.Column{Title: "OUTBOUND"}, func(f *api.Flow, _ time.Time) string { return show.Text(f.Outbound) }},
		column{show.Column{Title: "INBOUND"}, func(f *api.Flow, _ time.Time) string { return show.Text(f.Inbound) }},
		column{show.Column{Title: "SOURCE"}, func(f *api.Flow, _ time.Time) string { return show.Text(f.Source) }},
		column{show.Column{Title: "SERVER"}, func(f *api.Flow, _ time.Time) string { return show.Text(f.Server) }})
}

// destination is the name, where there is one, with the port.
func destination(f *api.Flow) string {
	if f.Name != "" {
		if _, port, err := net.SplitHostPort(f.Destination); err == nil {
			return show.Text(f.Name) + ":" + port
		}
	}
	return show.Text(f.Destination)
}

func state(f *api.Flow) string {
	if f.Held {
		return "held back"
	}
	return show.Text(f.State)
}

func rate(bytes *float64) string {
	if bytes == nil {
		return ""
	}
	return show.Bits(*bytes) + "bit"
}

// Flows is a table, with as many columns as a width has room for; all, where it is 0.
// Rates stand in it where the first flow has them.
func Flows(flows []api.Flow, now time.Time, width int) []string {
	rated := len(flows) > 0 && flows[0].RateUp != nil
	chosen, more := columns(rated)
	lines := table(chosen, flows, now, width)
	for _, c := range more {
		chosen = append(chosen, c)
		wide := table(chosen, flows, now, 0)
		if width > 0 && longest(wide) > width {
			break
		}
		lines = wide
	}
	return lines
}

func table(columns []column, flows []api.Flow, now time.Time, width int) []string {
	t := show.Table{}
	for _, c := range columns {
		t.Columns = append(t.Columns, c.Column)
	}
	for i := range flows {
		row := make([]string, len(columns))
		for j, c := range columns {
			row[j] = c.cell(&flows[i], now)
		}
		t.Rows = append(t.Rows, row)
	}
	return t.Lines(width)
}

func longest(lines []string) (n int) {
	for _, line := range lines {
		n = max(n, len(line))
	}
	return n
}
