package redir

import (
	"slices"

	"github.com/rs/zerolog"

	"sluice/redir/neighbour"
	"sluice/redir/route"
)

// openTable makes the routes of o ready for reactors. Rule sets that did not change
// stay as they are.
func (s *Server) openTable(o *Options) (*route.Table, *route.Sets, error) {
	if s.neighbours == nil && o.Route.NeedsNeighbours() {
		var err error
		if s.neighbours, err = neighbour.New(neighboursFailed(s.log)); err != nil {
			return nil, nil, err
		}
	}
	return o.Table(s.sets, s.neighbours)
}

// useTable tells of rule sets that were read, and of rules that can never match, once
// each.
func (s *Server) useTable(t *route.Table, sets *route.Sets) {
	for _, set := range sets.News(s.sets) {
		s.log.Info().Str("rule_set", set.Tag).Int("networks", set.Networks).Int("names", set.Names).Msg("a rule set is read")
	}
	s.sets = sets
	var findings []string
	for _, f := range t.Unreachable() {
		if findings = append(findings, f.Text); !slices.Contains(s.findings, f.Text) {
			s.log.Warn().Msg(f.Text)
		}
	}
	s.findings = findings
}

// neighboursFailed logs from the table's goroutine.
func neighboursFailed(log zerolog.Logger) func(error) {
	return func(err error) {
		log.Error().Err(err).Msg("the MAC addresses of clients cannot be read, which rules look at; trying again")
	}
}
