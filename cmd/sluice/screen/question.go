package screen

import (
	"fmt"
	"net"

	tea "charm.land/bubbletea/v2"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/client"
	"sluice/cmd/sluice/show"
)

// question asks before flows end. It says itself which ones, since rows move.
type question struct {
	text  string
	what  string    // is ended
	id    string    // of a flow; "": those that the query means
	query api.Query // with one term at least
}

func askFlow(f *api.Flow) *question {
	what := show.Text(f.Client) + " -> " + show.Text(destination(f))
	return &question{text: "End " + what + "?", what: what, id: f.ID}
}

func (m *Model) askClient(address string) *question {
	what, now := "of client "+show.Text(address), ""
	for i := range m.sample.Clients {
		if c := &m.sample.Clients[i]; c.Address == address {
			now = fmt.Sprintf(" (%d now)", c.Connections+c.Sessions)
		}
	}
	return &question{text: "End all flows " + what + now + "?", what: what, query: api.Query{Client: []string{address}}}
}

func askDestination(address string) *question {
	what := "to " + show.Text(address)
	return &question{text: "End all flows " + what + "?", what: what, query: api.Query{Destination: []string{address}}}
}

// end does what was asked.
func (m *Model) end(q *question) tea.Cmd {
	return func() tea.Msg {
		var msg endedMsg
		if msg.what = q.what; q.id != "" {
			msg.ended, msg.err = m.source.End(m.ctx, q.id)
		} else {
			msg.ended, msg.err = m.source.EndAll(m.ctx, &q.query, false)
		}
		return msg
	}
}

// text tells what came of it.
func (msg *endedMsg) text() string {
	switch {
	case client.IsGone(msg.err):
		return "it had ended already: " + msg.what
	case msg.err != nil:
		return show.Text(msg.err.Error())
	}
	return fmt.Sprintf("ended %d: %s", msg.ended.Ended, msg.what)
}

// host is the address of ADDR:PORT.
func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}
