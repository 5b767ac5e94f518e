package screen

import (
	"net"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/show"
)

// column is one of a view.
type column struct {
	title string
	width int  // that it has always; of those that share what is left, 0
	share int  // its part of what is left
	right bool // where its cells end
	from  int  // width of the terminal from which on it is shown
}

var columnsOf = [numViews][]column{
	viewClients: {
		{title: "CLIENT", share: 1}, {width: 4, from: 60}, {title: "CONNS", width: 5, right: true, from: 50}, {title: "UDP", width: 5, right: true, from: 50},
		{title: "UP", width: 5, right: true}, {title: "DOWN", width: 5, right: true},
		{title: "SENT", width: 7, right: true, from: 80}, {title: "RECEIVED", width: 8, right: true, from: 68},
	},
	viewDestinations: {
		{title: "DESTINATION", share: 2}, {title: "NAME", share: 3, from: 70},
		{title: "CONNS", width: 5, right: true, from: 50}, {title: "UDP", width: 5, right: true, from: 50},
		{title: "UP", width: 5, right: true}, {title: "DOWN", width: 5, right: true},
		{title: "SENT", width: 7, right: true, from: 110}, {title: "RECEIVED", width: 8, right: true, from: 100},
	},
	viewFlows: {
		{width: 3, from: 40}, {title: "CLIENT", share: 3}, {title: "DESTINATION", share: 4, from: 36},
		{title: "STATE", width: 11, from: 72}, {title: "AGE", width: 6, right: true, from: 56}, {title: "IDLE", width: 6, right: true, from: 110},
		{title: "UP", width: 5, right: true, from: 48}, {title: "DOWN", width: 5, right: true},
		{title: "SENT", width: 7, right: true, from: 100}, {title: "RECEIVED", width: 8, right: true, from: 100},
		{title: "OUTBOUND", width: 12, from: 130}, {title: "INBOUND", width: 12, from: 150},
	},
	viewRefusals: {
		{title: "CAUSE", share: 1}, {title: "KIND", width: 8, from: 50}, {title: "A SECOND", width: 8, right: true}, {title: "TOTAL", width: 12, right: true, from: 36},
	},
}

// flowCells are those of a flow at a time.
func flowCells(f *api.Flow, now time.Time) []string {
	return []string{
		show.Text(f.Network), show.Text(f.Client), show.Text(destination(f)),
		show.Text(state(f)), show.Duration(now.Sub(f.Started).Truncate(time.Second)), show.Duration(now.Sub(f.Active).Truncate(time.Second)),
		bits(f.RateUp), bits(f.RateDown), show.Bytes(f.BytesUp), show.Bytes(f.BytesDown),
		show.Text(f.Outbound), show.Text(f.Inbound),
	}
}

// state is where a flow stands, or that its client has used up its rate.
func state(f *api.Flow) string {
	if f.Held {
		return "held"
	}
	return f.State
}

// destination is where a flow goes: the name, if it told one, with the port.
func destination(f *api.Flow) string {
	if f.Name == "" {
		return f.Destination
	}
	_, port, err := net.SplitHostPort(f.Destination)
	if err != nil {
		return f.Name
	}
	return f.Name + ":" + port
}

func bits(rate *float64) string {
	if rate == nil {
		return "-"
	}
	return show.Bits(*rate)
}

func lookOfFlow(f *api.Flow) style {
	switch {
	case f.Held:
		return amber
	case f.State == "relaying", f.State == "bulk":
		return plain
	}
	return faint
}
