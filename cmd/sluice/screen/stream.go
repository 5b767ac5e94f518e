package screen

import (
	"context"
	"iter"

	tea "charm.land/bubbletea/v2"

	"sluice/cmd/sluice/api"
)

// stream is the samples of one query. Its waits follow each other, so that one
// goroutine at a time has it.
type stream struct {
	cancel context.CancelFunc
	next   func() (*api.Sample, error, bool)
}

// restart begins the stream of the query in effect, and ends the one before.
func (m *Model) restart() tea.Cmd {
	if m.stream != nil {
		m.stream.cancel()
	}
	ctx, cancel := context.WithCancel(m.ctx)
	query := m.tables[viewFlows].query
	next, _ := iter.Pull2(m.source.Follow(ctx, &query, flowsWanted)) // it ends with ctx
	m.stream = &stream{cancel, next}
	return m.stream.wait
}

// wait is a Cmd: it answers with the next sample, or with nothing once there are no
// more.
func (s *stream) wait() tea.Msg {
	sample, err, _ := s.next()
	return sampleMsg{s, sample, err}
}
