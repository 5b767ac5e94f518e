package screen

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"sluice/cmd/sluice/api"
)

// fakeSource remembers what was asked of it. Its streams are empty: tests bring samples.
type fakeSource struct {
	queries []api.Query
	ended   []string
	flow    api.Flow
	err     error
	samples []*api.Sample // of Follow
}

func (f *fakeSource) Status(context.Context) (api.Status, error) {
	return api.Status{Version: "sluice v1.2.3", State: "serving", Started: noon.Add(-time.Hour), Limits: api.Limits{Connections: 10000}}, f.err
}

func (f *fakeSource) Flow(context.Context, string) (api.Flow, error) { return f.flow, f.err }

func (f *fakeSource) End(_ context.Context, id string) (api.Ended, error) {
	f.ended = append(f.ended, id)
	return api.Ended{Ended: 1}, f.err
}

func (f *fakeSource) EndAll(_ context.Context, q *api.Query, all bool) (api.Ended, error) {
	f.ended = append(f.ended, q.Values().Encode())
	return api.Ended{Ended: 7}, f.err
}

func (f *fakeSource) Follow(_ context.Context, q *api.Query, _ int) iter.Seq2[*api.Sample, error] {
	f.queries = append(f.queries, *q)
	return func(yield func(*api.Sample, error) bool) {
		for _, s := range f.samples {
			if s == nil && !yield(nil, errGone) || s != nil && !yield(s, nil) {
				return
			}
		}
	}
}

var errGone = fmt.Errorf("no sluice answers at /run/sluice/control.sock: nobody listens: sluice has ended")

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// hostile is what a client may claim to go to.
const hostile = "evil\x1b[2J\x07\u202e名\x9b31m.example"

// sampleAt is what goes on in a second, with n flows.
func sampleAt(second, n int) *api.Sample {
	s := &api.Sample{
		Time: noon.Add(time.Duration(second) * time.Second), Interval: 1, Connections: n, Total: n, CPU: 0.5, Memory: 5e6,
		Networks: []api.Network{{Network: "tcp", RateUp: 125000, RateDown: 1.25e6 * float64(second), Opened: 3}, {Network: "udp"}},
		Refusals: []api.Cause{{Name: "upstream_timeout", Kind: "failed", Total: 9}, {Name: "refused_client_connects", Kind: "refused", Rate: 2, Total: 5}},
		Top: api.Top{
			Clients:      []api.Talker{{Address: "10.0.0.1", RateUp: 5, Connections: 3, Sessions: 2}, {Address: "10.0.0.2", RateDown: 9, Held: true}},
			Destinations: []api.Talker{{Address: "203.0.113.5", Name: hostile}},
		},
		Health: api.Health{Well: true},
	}
	for i := range n {
		rate := float64(1000 * (n - i))
		s.Flows = append(s.Flows, api.Flow{
			ID: fmt.Sprintf("t0.%d.1", i), Network: "tcp", State: "relaying", Client: fmt.Sprintf("10.0.0.%d:4000", i+1), Destination: "203.0.113.5:443",
			Outbound: "direct", Started: noon.Add(-time.Minute), Active: noon, BytesUp: 1234567, RateUp: &rate, RateDown: &rate,
		})
	}
	return s
}

// newScreen is one of a size that has had the first samples.
func newScreen(t *testing.T, width, height, flows int) (*Model, *fakeSource) {
	t.Helper()
	source := &fakeSource{}
	m := New(t.Context(), source, Look{Blocks: true})
	do(m, m.Init())
	send(m, tea.WindowSizeMsg{Width: width, Height: height})
	for second := 1; second <= 3; second++ {
		send(m, sampleMsg{m.stream, sampleAt(second, flows), nil})
	}
	return m, source
}

// send brings messages, and does what is to be done about them.
func send(m *Model, messages ...tea.Msg) {
	for _, msg := range messages {
		_, cmd := m.Update(msg)
		do(m, cmd)
	}
}

func do(m *Model, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, one := range msg {
			do(m, one)
		}
	case nil:
	default:
		send(m, msg)
	}
}

var named = map[string]tea.Key{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
	"end": {Code: tea.KeyEnd}, "backspace": {Code: tea.KeyBackspace}, "space": {Code: tea.KeySpace, Text: " "},
	"ctrl+u": {Code: 'u', Mod: tea.ModCtrl}, "ctrl+w": {Code: 'w', Mod: tea.ModCtrl},
}

// press presses keys, by name or by letter.
func press(m *Model, keys ...string) {
	for _, name := range keys {
		key, ok := named[name]
		if !ok {
			key = tea.Key{Code: []rune(name)[0], Text: name}
		}
		send(m, tea.KeyPressMsg(key))
	}
}

// typeIn presses the letters of a text.
func typeIn(m *Model, text string) { press(m, strings.Split(text, "")...) }

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// shown is the screen without colours.
func shown(m *Model) string { return sgr.ReplaceAllString(m.content(), "") }

func wants(t *testing.T, m *Model, texts ...string) {
	t.Helper()
	screen := shown(m)
	for _, text := range texts {
		if not, ok := strings.CutPrefix(text, "!"); ok == strings.Contains(screen, not) {
			t.Errorf("want %q on\n%s", text, screen)
		}
	}
}
