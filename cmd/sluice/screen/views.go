package screen

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/show"
)

// Views, in the order of their keys.
const (
	viewClients = iota
	viewDestinations
	viewFlows
	viewRefusals
	numViews
)

var viewNames = [numViews]string{"clients", "destinations", "flows", "refusals"}

// order is one by which a view can be sorted.
type order struct {
	name string
	of   func(a, b *api.Talker) int // the view's own sorting; nil: sluice sorts
}

func byNumber[N cmp.Ordered](of func(*api.Talker) N) func(a, b *api.Talker) int {
	return func(a, b *api.Talker) int { return cmp.Compare(of(b), of(a)) }
}

// sortsOf are the orders of a view, the one by default first.
func sortsOf(view int) []order {
	switch view {
	case viewFlows: // api.Query.Sort
		return []order{{name: "rate"}, {name: "bytes"}, {name: "age"}, {name: "idle"}, {name: "client"}, {name: "destination"}}
	case viewRefusals:
		return []order{{name: "rate"}, {name: "total"}, {name: "cause"}}
	}
	return []order{
		{"rate", byNumber(func(t *api.Talker) float64 { return t.RateUp + t.RateDown })},
		{"down", byNumber(func(t *api.Talker) float64 { return t.RateDown })},
		{"up", byNumber(func(t *api.Talker) float64 { return t.RateUp })},
		{"bytes", byNumber(func(t *api.Talker) uint64 { return t.BytesUp + t.BytesDown })},
		{"flows", byNumber(func(t *api.Talker) int { return t.Connections + t.Sessions })},
		{"address", func(a, b *api.Talker) int { return cmp.Compare(a.Address, b.Address) }},
	}
}

// row is a line of a table.
type row struct {
	key   string // of what it shows: an ID, an address, a cause
	cells []string
	look  style
	flow  *api.Flow // nil in other views
}

// rows are those of the view in effect.
func (m *Model) rows() []row {
	if m.sample == nil {
		return nil
	}
	t := &m.tables[m.view]
	switch m.view {
	case viewClients:
		return talkers(m.sample.Clients, t, clientCells)
	case viewDestinations:
		return talkers(m.sample.Destinations, t, destinationCells)
	case viewRefusals:
		return refusals(m.sample.Refusals, t)
	}
	rows := make([]row, 0, len(m.sample.Flows))
	for i := range m.sample.Flows {
		f := &m.sample.Flows[i]
		rows = append(rows, row{f.ID, flowCells(f, m.sample.Time), lookOfFlow(f), f})
	}
	return rows
}

func talkers(all []api.Talker, t *table, cells func(*api.Talker) []string) []row {
	sorted := slices.Clone(all)
	by := sortsOf(viewClients)[t.sort]
	slices.SortStableFunc(sorted, func(a, b api.Talker) int { return t.turned(by.of(&a, &b)) })
	var rows []row
	for i := range sorted {
		talker := &sorted[i]
		if !t.matches(talker.Address, talker.Name) {
			continue
		}
		look := plain
		if talker.Held {
			look = amber
		}
		rows = append(rows, row{key: talker.Address, cells: cells(talker), look: look})
	}
	return rows
}

func clientCells(t *api.Talker) []string {
	held := ""
	if t.Held {
		held = "held"
	}
	return []string{
		show.Text(t.Address), held, show.Count(t.Connections), show.Count(t.Sessions),
		show.Bits(t.RateUp), show.Bits(t.RateDown), show.Bytes(t.BytesUp), show.Bytes(t.BytesDown),
	}
}

func destinationCells(t *api.Talker) []string {
	return []string{
		show.Text(t.Address), show.Text(t.Name), show.Count(t.Connections), show.Count(t.Sessions),
		show.Bits(t.RateUp), show.Bits(t.RateDown), show.Bytes(t.BytesUp), show.Bytes(t.BytesDown),
	}
}

func refusals(all []api.Cause, t *table) []row {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b api.Cause) int {
		switch sortsOf(viewRefusals)[t.sort].name {
		case "total":
			return t.turned(cmp.Compare(b.Total, a.Total))
		case "cause":
			return t.turned(strings.Compare(a.Name, b.Name))
		}
		return t.turned(cmp.Or(cmp.Compare(b.Rate, a.Rate), cmp.Compare(b.Total, a.Total)))
	})
	var rows []row
	for i := range sorted {
		c := &sorted[i]
		if !t.matches(c.Name, c.Kind) {
			continue
		}
		look := plain
		if c.Rate > 0 {
			look = amber
		}
		rows = append(rows, row{
			key: c.Name, look: look,
			cells: []string{show.Text(c.Name), show.Text(c.Kind), show.Count(c.Rate), strconv.FormatUint(c.Total, 10)},
		})
	}
	return rows
}
