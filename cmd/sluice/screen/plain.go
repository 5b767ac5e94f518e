package screen

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/show"
)

// Text is what to write where there is no terminal.
type Text struct {
	Out   io.Writer
	Told  io.Writer // that sluice is gone
	Count int       // of samples; 0: until the context is done
	JSON  bool      // a sample a line
	Width int       // columns; 0: as many as it takes
	Rows  int       // of a table
}

// Plain writes samples that have rates, a second apart. Where it is to write so many,
// it is an error that sluice is gone; else that is told, and tried again.
func Plain(ctx context.Context, source Source, t *Text) error {
	written, isLost := 0, false
	query := &api.Query{Sort: "rate"}
	for sample, err := range source.Follow(ctx, query, max(t.Rows, 0)) {
		switch {
		case err != nil && t.Count > 0:
			return err
		case err != nil && !isLost:
			isLost = true
			fmt.Fprintf(t.Told, "sluice: %s; trying again\n", show.Text(err.Error()))
			continue
		case err != nil || sample.Interval <= 0:
			continue
		}
		isLost = false
		if err := t.write(sample); err != nil {
			return err
		}
		if written++; written == t.Count {
			return nil
		}
	}
	return nil
}

func (t *Text) write(s *api.Sample) error {
	if t.JSON {
		encoder := json.NewEncoder(t.Out)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(s)
	}
	b := bufio.NewWriter(t.Out)
	for _, line := range t.block(s) {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return b.Flush()
}

// block is a sample in lines.
func (t *Text) block(s *api.Sample) []string {
	lines := []string{fmt.Sprintf("%s  connections %d (%d dialing)  sessions %d  cpu %.0f%%  memory %s",
		s.Time.Local().Format("2006-01-02 "+clock), s.Connections, s.Dialing, s.Sessions, s.CPU*100, show.Bytes(s.Memory))}
	if !s.Health.Well {
		lines = append(lines, "not well: "+show.Text(strings.Join(s.Health.Causes, "; ")))
	}
	for _, table := range []*show.Table{networksTable(s), t.talkersTable("CLIENT", s.Clients), t.talkersTable("DESTINATION", s.Destinations), t.flowsTable(s), t.refusalsTable(s)} {
		if len(table.Rows) > 0 {
			lines = append(lines, table.Lines(t.Width)...)
		}
	}
	return lines
}

func networksTable(s *api.Sample) *show.Table {
	table := &show.Table{Columns: []show.Column{{Title: "NETWORK"}, {Title: "UP", Right: true}, {Title: "DOWN", Right: true}, {Title: "OPENED/S", Right: true}, {Title: "ENDED/S", Right: true}}}
	for i := range s.Networks {
		n := &s.Networks[i]
		table.Rows = append(table.Rows, []string{show.Text(n.Network), show.Rate(n.RateUp), show.Rate(n.RateDown), show.Count(n.Opened), show.Count(n.Ended)})
	}
	return table
}

func (t *Text) talkersTable(title string, all []api.Talker) *show.Table {
	table := &show.Table{Columns: []show.Column{
		{Title: title, Least: 15}, {Title: "UP", Right: true}, {Title: "DOWN", Right: true}, {Title: "CONNS", Right: true}, {Title: "UDP", Right: true}, {Title: "NAME", Least: 12},
	}}
	for i := range all[:min(len(all), t.Rows)] {
		k := &all[i]
		name := show.Text(k.Name)
		if k.Held && name == "" {
			name = "held back"
		}
		table.Rows = append(table.Rows, []string{show.Text(k.Address), show.Rate(k.RateUp), show.Rate(k.RateDown), show.Count(k.Connections), show.Count(k.Sessions), name})
	}
	return table
}

func (t *Text) flowsTable(s *api.Sample) *show.Table {
	table := &show.Table{Columns: []show.Column{
		{Title: "FLOW"}, {Title: "CLIENT", Least: 12}, {Title: "DESTINATION", Least: 14}, {Title: "UP", Right: true}, {Title: "DOWN", Right: true}, {Title: "STATE"},
	}}
	for i := range s.Flows[:min(len(s.Flows), t.Rows)] {
		f := &s.Flows[i]
		table.Rows = append(table.Rows, []string{show.Text(f.ID), show.Text(f.Client), show.Text(destination(f)), bits(f.RateUp), bits(f.RateDown), show.Text(state(f))})
	}
	return table
}

// refusalsTable is what was refused in the time of the sample.
func (t *Text) refusalsTable(s *api.Sample) *show.Table {
	table := &show.Table{Columns: []show.Column{{Title: "CAUSE", Least: 12}, {Title: "KIND"}, {Title: "A SECOND", Right: true}, {Title: "TOTAL", Right: true}}}
	for i := range s.Refusals {
		if c := &s.Refusals[i]; c.Rate > 0 && len(table.Rows) < t.Rows {
			table.Rows = append(table.Rows, []string{show.Text(c.Name), show.Text(c.Kind), show.Count(c.Rate), strconv.FormatUint(c.Total, 10)})
		}
	}
	return table
}
