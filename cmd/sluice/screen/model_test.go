package screen

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"sluice/cmd/sluice/api"
)

func TestViewsAtEightyByTwentyFour(t *testing.T) {
	m, _ := newScreen(t, 80, 24, 30)
	wants(t, m, "sluice v1.2.3  serving, up 1h00m", "cpu 50%  5.00 MB", "TCP  up 1.00 Mbit/s", "███  down 30.0 Mbit/s                 ▃▆█", "connections 30/10.0k +3 -0/s",
		"CLIENT", "10.0.0.2", "held", "s sort")
	press(m, "2")
	wants(t, m, "DESTINATION", "203.0.113.5", `evil\x1b[2~540d\x9b31m.example`)
	press(m, "tab")
	wants(t, m, "STATE", "10.0.0.17:4000", "!10.0.0.18:4000", "relaying", "1m03s", "240k")
	press(m, "4")
	wants(t, m, "upstream_timeout", "refused_client_connects", "A SECOND")
	press(m, "?")
	wants(t, m, "end the flow", "any key: back", "Up: from the client.")
	press(m, "q")
	wants(t, m, "CAUSE", "!any key")
	press(m, "1")
	send(m, tea.WindowSizeMsg{Width: 120, Height: 24})
	wants(t, m, "10.0.0.1 ", "0 B                   ███")
}

// TestEverySizeHolds: whatever is shown, wherever: as many lines as there are, and none
// wider, of nothing but printable text and our own colours.
func TestEverySizeHolds(t *testing.T) {
	states := map[string]func(*Model){
		"clients": func(*Model) {}, "flows": func(m *Model) { press(m, "3", "end") }, "opened": func(m *Model) { press(m, "3", "enter") },
		"refusals": func(m *Model) { press(m, "4") }, "help": func(m *Model) { press(m, "?") }, "question": func(m *Model) { press(m, "3", "K") },
		"filter": func(m *Model) { press(m, "3", "/"); typeIn(m, "state=x"); press(m, "enter") },
		"lost":   func(m *Model) { send(m, sampleMsg{m.stream, nil, errors.New(hostile + strings.Repeat(" long", 99))}) },
		"unwell": func(m *Model) {
			s := sampleAt(4, 3)
			s.Flows[0].Name, s.Flows[1].Client, s.Flows[2].State, s.Flows[0].ID = hostile, hostile, hostile, hostile
			s.Health = api.Health{Causes: []string{hostile}}
			s.Refusals[0].Name, s.Clients[0].Address = hostile, hostile
			send(m, sampleMsg{m.stream, s, nil})
			press(m, "2", "3", "enter", "k")
		},
	}
	for name, reach := range states {
		m, _ := newScreen(t, 80, 24, 40)
		reach(m)
		for _, width := range []int{0, 1, 7, 20, 39, 59, 60, 79, 80, 103, 104, 131, 170} {
			for _, height := range []int{0, 1, 2, 3, 5, 11, 12, 24, 50} {
				send(m, tea.WindowSizeMsg{Width: width, Height: height})
				screen := shown(m)
				lines := strings.Split(screen, "\n")
				if len(lines) != max(height, 1) {
					t.Fatalf("%s: %d lines of %d", name, len(lines), height)
				}
				for _, line := range lines {
					if n := utf8.RuneCountInString(line); n > width {
						t.Fatalf("%s at %dx%d: %d columns: %q", name, width, height, n, line)
					}
					if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) || r > 0x7e && !slices.Contains(blocks, r) && r != '…' }) {
						t.Fatalf("%s at %dx%d: %q", name, width, height, line)
					}
				}
			}
		}
	}
}

// TestChosenRowStays: what is chosen is a flow, and no line of the screen.
func TestChosenRowStays(t *testing.T) {
	m, _ := newScreen(t, 80, 24, 30)
	press(m, "3", "down", "down")
	s := sampleAt(4, 30)
	slices.Reverse(s.Flows)
	send(m, sampleMsg{m.stream, s, nil})
	if r := m.chosen(); r.key != "t0.2.1" {
		t.Errorf("chosen is %s", r.key)
	}
	wants(t, m, "10.0.0.3:4000") // it was scrolled to
	s = sampleAt(5, 2)
	send(m, sampleMsg{m.stream, s, nil})
	if r := m.chosen(); r.key != "t0.1.1" {
		t.Errorf("of two rows, chosen is %s", r.key)
	}
	send(m, sampleMsg{m.stream, sampleAt(6, 0), nil})
	press(m, "down", "enter", "k", "K")
	wants(t, m, "none")
}

// TestEndAsks: flows end after y alone, and it is those that were asked about.
func TestEndAsks(t *testing.T) {
	m, source := newScreen(t, 80, 24, 30)
	press(m, "3", "down", "k")
	wants(t, m, "End 10.0.0.2:4000 -> 203.0.113.5:443? y/n")
	send(m, sampleMsg{m.stream, sampleAt(4, 1), nil})
	press(m, "enter")
	wants(t, m, "nothing was ended")
	press(m, "K")
	wants(t, m, "End all flows of client 10.0.0.1 (5 now)? y/n")
	press(m, "y")
	wants(t, m, "ended 7: of client 10.0.0.1")
	send(m, sampleMsg{m.stream, sampleAt(5, 2), nil})
	press(m, "down", "k")
	send(m, sampleMsg{m.stream, sampleAt(6, 1), nil})
	press(m, "y", "2", "k", "y", "1", "k", "y")
	if want := []string{"client=10.0.0.1", "t0.1.1", "destination=203.0.113.5", "client=10.0.0.2"}; !slices.Equal(source.ended, want) {
		t.Errorf("ended %q, want %q", source.ended, want)
	}
	source.err = &api.Problem{Status: 404, Title: "Not Found"}
	press(m, "3", "k", "y")
	wants(t, m, "it had ended already")
	source.err = errGone
	press(m, "k", "y")
	wants(t, m, "no sluice answers")
}

func TestOpenedFlow(t *testing.T) {
	m, source := newScreen(t, 80, 24, 3)
	rule := 4
	source.flow = api.Flow{ID: "t0.0.1", Network: "tcp", State: "bulk", Server: "192.0.2.7:1080", Rule: &rule, BytesUp: 1234567, DatagramsDown: 3, Held: true, Cause: "idle"}
	press(m, "3", "enter")
	wants(t, m, "flow t0.0.1", "bulk", "192.0.2.7:1080", "rule         4", "1.23 MB (1234567), 24.0 kbit/s", "3 datagrams", "used up its rate", "cause", "!dialed")
	source.flow.BytesUp = 7
	send(m, sampleMsg{m.stream, sampleAt(4, 3), nil})
	wants(t, m, "7 B, 24.0 kbit/s")
	source.err = errGone
	send(m, sampleMsg{m.stream, sampleAt(5, 3), nil})
	wants(t, m, "no sluice answers", "!has ended")
	source.err = &api.Problem{Status: 404}
	send(m, sampleMsg{m.stream, sampleAt(6, 3), nil})
	wants(t, m, "has ended")
	press(m, "k")
	wants(t, m, "End ")
	press(m, "n", "esc")
	wants(t, m, "STATE")
	send(m, flowMsg{source.flow, nil}) // late
	wants(t, m, "STATE")
}

func TestSortAndFilterOfFlows(t *testing.T) {
	m, source := newScreen(t, 80, 24, 30)
	press(m, "3", "s", "r", "/")
	wants(t, m, "filter: ", ".example.com")
	typeIn(m, "10.0.0.0/8 udpx")
	press(m, "backspace", "enter")
	wants(t, m, "only 10.0.0.0/8 udp (30 flows)", "by bytes, reversed")
	press(m, "/", "space")
	typeIn(m, "state=nonsense")
	press(m, "enter")
	wants(t, m, "nonsense", "want one of")
	press(m, "ctrl+w", "enter", "esc")
	press(m, "1", "enter")
	wants(t, m, "only client=10.0.0.2")
	press(m, "esc")
	wants(t, m, "1 clients", "RECEIVED", "!only")
	var got []string
	for _, q := range source.queries {
		got = append(got, q.Values().Encode())
	}
	want := []string{"sort=rate", "sort=bytes", "sort=-bytes", "client=10.0.0.0%2F8&network=udp&sort=-bytes",
		"client=10.0.0.0%2F8&network=udp&sort=-bytes", "sort=-bytes", "client=10.0.0.2&sort=-bytes", "sort=-bytes"}
	if !slices.Equal(got, want) {
		t.Errorf("asked for\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestOldStreamIsNotHeard: after another query, samples of the one before are late.
func TestOldStreamIsNotHeard(t *testing.T) {
	m, _ := newScreen(t, 80, 24, 3)
	before := m.stream
	press(m, "3", "s")
	send(m, sampleMsg{before, sampleAt(9, 1), nil})
	if len(m.sample.Flows) != 3 {
		t.Errorf("%d flows", len(m.sample.Flows))
	}
	first := sampleAt(4, 5)
	first.Interval, first.Networks = 0, nil
	send(m, sampleMsg{m.stream, first, nil})
	wants(t, m, "TCP  up 1.00 Mbit/s", "10.0.0.5:4000")
}

func TestSortAndFilterOfTalkers(t *testing.T) {
	m, _ := newScreen(t, 80, 24, 3)
	order := func() string {
		var keys []string
		for _, r := range m.rows() {
			keys = append(keys, r.key)
		}
		return strings.Join(keys, " ")
	}
	for _, step := range []struct{ keys, want string }{
		{"", "10.0.0.2 10.0.0.1"}, {"r", "10.0.0.1 10.0.0.2"}, {"r S", "10.0.0.1 10.0.0.2"}, // address
		{"S", "10.0.0.1 10.0.0.2"}, {"r", "10.0.0.2 10.0.0.1"}, // flows
		{"/ . 2 enter", "10.0.0.2"}, {"/ ctrl+u enter", "10.0.0.2 10.0.0.1"}, {"/ x esc", "10.0.0.2 10.0.0.1"},
		{"4", "refused_client_connects upstream_timeout"}, {"s", "upstream_timeout refused_client_connects"}, {"s", "refused_client_connects upstream_timeout"},
	} {
		press(m, strings.Fields(step.keys)...)
		if got := order(); got != step.want {
			t.Errorf("after %q: %s, want %s", step.keys, got, step.want)
		}
	}
}

func TestPause(t *testing.T) {
	m, _ := newScreen(t, 80, 24, 3)
	press(m, "p")
	for second := 4; second <= 6; second++ {
		send(m, sampleMsg{m.stream, sampleAt(second, 5), nil})
	}
	wants(t, m, "PAUSED", "connections 3/", "███  down 30.0 Mbit/s                 ▃▆█")
	press(m, "p")
	wants(t, m, "!PAUSED", "connections 5/", "▂▃▄▆▇█", "down 60.0 Mbit/s")
}

// TestLost: a sluice that is gone is told, with the seconds that nothing is known of.
func TestLost(t *testing.T) {
	m, _ := newScreen(t, 80, 24, 3)
	send(m, sampleMsg{m.stream, nil, errGone})
	wants(t, m, "no answer since "+noon.Local().Format("15:04:")+"03, trying again", "nobody listens: sluice has ended", "10.0.0.2")
	send(m, sampleMsg{m.stream, nil, errGone}, sampleMsg{m.stream, sampleAt(7, 3), nil})
	wants(t, m, "serving", "!trying again", "▂▃▄   █")

	fresh := New(t.Context(), &fakeSource{}, Look{})
	do(fresh, fresh.Init())
	send(fresh, tea.WindowSizeMsg{Width: 80, Height: 24})
	wants(t, fresh, "waiting for the first sample")
	send(fresh, sampleMsg{fresh.stream, nil, errGone})
	wants(t, fresh, "no answer yet", "nobody listens")
	press(fresh, "3", "enter", "k", "K", "down", "s", "4", "enter")
}

func TestQuit(t *testing.T) {
	for _, keys := range [][]string{{"q"}, {"3", "enter", "q"}} {
		m, _ := newScreen(t, 80, 24, 3)
		press(m, keys[:len(keys)-1]...)
		_, cmd := m.Update(tea.KeyPressMsg(tea.Key{Code: 'q', Text: "q"}))
		if cmd == nil || cmd() != (tea.QuitMsg{}) {
			t.Errorf("%q does not quit", keys)
		}
	}
}
