package screen

import (
	"context"
	"math"
	"time"

	tea "charm.land/bubbletea/v2"

	"sluice/cmd/sluice/api"
)

// Model is the screen.
type Model struct {
	ctx    context.Context // of the program
	source Source
	look   Look

	width, height int
	stream        *stream
	status        *api.Status
	statusAt      time.Time   // of the sample that it was asked for at
	sample        *api.Sample // the last that is shown; nil: there was none yet
	rates         map[string]*rates
	trends        [numViews]trends // of those who are named by address; else nil
	lost          error            // why there are no samples; nil: there are
	lostAt        time.Time        // of the last sample before

	view   int
	tables [numViews]table
	paused bool
	missed []*api.Sample // while it is

	// At most one of them takes the keys, the first that is there.
	question *question
	entry    *entry
	opened   *opened
	help     bool

	note string // shown until the next key
}

// rates are the histories of one network.
type rates struct{ up, down history }

// flowsWanted is how many flows are asked for: more than any terminal has lines.
const flowsWanted = 150

// statusPeriod is how often the status is asked for anew.
const statusPeriod = 5 * time.Second

// New makes a screen, which shows source until ctx is done.
func New(ctx context.Context, source Source, look Look) *Model {
	m := &Model{ctx: ctx, source: source, look: look, rates: map[string]*rates{"tcp": {}, "udp": {}}}
	m.trends[viewClients], m.trends[viewDestinations] = trends{}, trends{}
	m.tables[viewFlows] = table{from: viewFlows, query: api.Query{Sort: sortsOf(viewFlows)[0].name}}
	return m
}

// Init begins the stream.
func (m *Model) Init() tea.Cmd { return tea.Batch(m.restart(), m.askStatus()) }

// Messages that Cmds answer with.
type (
	sampleMsg struct {
		of     *stream
		sample *api.Sample
		err    error
	}
	statusMsg struct {
		status api.Status
		err    error
	}
	flowMsg struct {
		flow api.Flow
		err  error
	}
	endedMsg struct {
		ended api.Ended
		what  string
		err   error
	}
)

// Update takes a message.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m, m.press(msg)
	case tea.PasteMsg:
		if m.entry != nil {
			m.entry.insert(msg.Content)
		}
	case sampleMsg:
		return m, m.take(msg)
	case statusMsg:
		if msg.err == nil {
			m.status = &msg.status
		}
	case flowMsg:
		m.opened.take(msg)
	case endedMsg:
		m.note = msg.text()
	}
	return m, nil
}

// take takes a sample, or the reason why there is none, and waits for the next.
func (m *Model) take(msg sampleMsg) tea.Cmd {
	if msg.of != m.stream || msg.sample == nil && msg.err == nil {
		return nil // the stream has ended
	}
	wait := m.stream.wait
	if msg.err != nil {
		if m.lost == nil && m.sample != nil {
			m.lostAt = m.sample.Time
		}
		m.lost = msg.err
		return wait
	}
	m.lost = nil
	if m.paused {
		m.missed = append(m.missed[max(len(m.missed)-mostHistory+1, 0):], msg.sample)
		return wait
	}
	return tea.Batch(wait, m.show(msg.sample))
}

// show takes a sample to be shown.
func (m *Model) show(s *api.Sample) tea.Cmd {
	if s.Interval <= 0 && m.sample != nil { // the first of another stream has no rates yet
		s.Interval, s.Networks, s.CPU = m.sample.Interval, m.sample.Networks, m.sample.CPU
	} else {
		m.remember(s)
	}
	m.sample = s
	m.opened.meet(s)
	if m.status != nil && s.Time.Sub(m.statusAt).Abs() < statusPeriod {
		return m.askOpened()
	}
	m.statusAt = s.Time
	return tea.Batch(m.askOpened(), m.askStatus())
}

// pause stops what is shown, or goes on with what came since.
func (m *Model) pause() (cmd tea.Cmd) {
	m.paused = !m.paused
	for _, s := range m.missed {
		cmd = m.show(s)
	}
	m.missed = nil
	return cmd
}

// remember adds a sample to the histories, and the seconds without one before it.
func (m *Model) remember(s *api.Sample) {
	gap := 0
	if m.sample != nil {
		gap = int(math.Round(s.Time.Sub(m.sample.Time).Seconds())) - 1
	}
	for _, r := range m.rates {
		for range min(gap, mostHistory) {
			r.up.add(math.NaN())
			r.down.add(math.NaN())
		}
	}
	if s.Interval <= 0 {
		return
	}
	m.trends[viewClients].add(s.Clients)
	m.trends[viewDestinations].add(s.Destinations)
	for i := range s.Networks {
		if r := m.rates[s.Networks[i].Network]; r != nil {
			r.up.add(s.Networks[i].RateUp)
			r.down.add(s.Networks[i].RateDown)
		}
	}
}

func (m *Model) askStatus() tea.Cmd {
	return func() tea.Msg {
		s, err := m.source.Status(m.ctx)
		return statusMsg{s, err}
	}
}
