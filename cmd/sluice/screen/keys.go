package screen

import tea "charm.land/bubbletea/v2"

// press takes a key.
func (m *Model) press(key tea.KeyPressMsg) tea.Cmd {
	name := key.String()
	m.note = ""
	switch name {
	case "ctrl+c":
		return tea.Quit
	case "ctrl+z":
		return tea.Suspend
	}
	switch {
	case m.question != nil:
		q := m.question
		m.question = nil
		if name == "y" || name == "Y" {
			return m.end(q)
		}
		m.note = "nothing was ended"
		return nil
	case m.entry != nil:
		return m.typed(name, key.Text)
	case m.help:
		m.help = false
		return nil
	case m.opened != nil:
		return m.pressOpened(name)
	}
	return m.pressTable(name)
}

// typed takes a key while a filter is typed.
func (m *Model) typed(name, text string) tea.Cmd {
	switch name {
	case "enter":
		return m.filter(m.entry.text)
	case "esc":
		m.entry = nil
	case "backspace", "ctrl+h":
		m.entry.erase(false)
	case "ctrl+w":
		m.entry.erase(true)
	case "ctrl+u":
		m.entry.text = ""
	default:
		m.entry.insert(text)
	}
	return nil
}

// filter puts a filter into effect, if it makes sense.
func (m *Model) filter(text string) tea.Cmd {
	t := &m.tables[m.view]
	if m.view != viewFlows {
		t.filter, m.entry = text, nil
		return nil
	}
	query, err := parseFilter(text)
	if err != nil {
		if m.entry != nil {
			m.entry.amiss = err.Error()
		}
		return nil
	}
	query.Sort = t.query.Sort
	t.filter, t.query, m.entry = text, query, nil
	return m.restart()
}

// pressTable takes a key while a table is shown.
func (m *Model) pressTable(name string) tea.Cmd {
	switch name {
	case "q":
		return tea.Quit
	case "?", "h":
		m.help = true
	case "1", "2", "3", "4":
		m.view = int(name[0] - '1')
	case "tab", "right":
		m.view = (m.view + 1) % numViews
	case "shift+tab", "left":
		m.view = (m.view + numViews - 1) % numViews
	case "p", "space":
		return m.pause()
	case "/":
		m.entry = &entry{text: m.tables[m.view].filter}
		m.tables[viewFlows].from = viewFlows
	case "esc":
		return m.back()
	case "s":
		return m.sort(1)
	case "S":
		return m.sort(-1)
	case "r":
		m.tables[m.view].reversed = !m.tables[m.view].reversed
		return m.sort(0)
	case "enter":
		return m.open()
	case "k":
		m.ask(false)
	case "K":
		m.ask(true)
	default:
		m.move(name)
	}
	return nil
}

// move chooses another row.
func (m *Model) move(name string) {
	page := max(m.height/2, 1)
	by, ok := map[string]int{
		"up": -1, "down": 1, "pgup": -page, "pgdown": page, "home": -flowsWanted, "end": flowsWanted, "g": -flowsWanted, "G": flowsWanted,
	}[name]
	if ok {
		m.tables[m.view].move(m.rows(), by)
	}
}

// sort goes on to another order. sluice sorts the flows, since it sends the first
// ones alone.
func (m *Model) sort(by int) tea.Cmd {
	t := &m.tables[m.view]
	sorts := sortsOf(m.view)
	t.sort = (t.sort + by + len(sorts)) % len(sorts)
	t.top = 0
	if m.view != viewFlows {
		return nil
	}
	t.query.Sort = sorts[t.sort].name
	if t.reversed {
		t.query.Sort = "-" + t.query.Sort
	}
	return m.restart()
}

// open shows what the chosen row has behind it: a flow, or the flows of a client or
// to a destination.
func (m *Model) open() tea.Cmd {
	r := m.chosen()
	if r == nil {
		return nil
	}
	switch m.view {
	case viewFlows:
		m.opened = &opened{flow: *r.flow}
		return m.askOpened()
	case viewClients:
		return m.enter("client=" + r.key)
	case viewDestinations:
		return m.enter("destination=" + r.key)
	}
	return nil
}

// enter shows some of the flows, until back.
func (m *Model) enter(filter string) tea.Cmd {
	m.tables[viewFlows].from, m.view = m.view, viewFlows
	return m.filter(filter)
}

// back takes the filter away, and goes to where it was chosen.
func (m *Model) back() tea.Cmd {
	t := &m.tables[m.view]
	if t.filter == "" {
		return nil
	}
	cmd := m.filter("")
	if m.view == viewFlows && t.from != viewFlows {
		m.view, t.from = t.from, viewFlows
	}
	return cmd
}

// chosen is the chosen row; nil: there is none.
func (m *Model) chosen() *row {
	rows, t := m.rows(), &m.tables[m.view]
	if len(rows) == 0 {
		return nil
	}
	t.settle(rows, len(rows))
	return &rows[t.at]
}

// ask asks whether the chosen flow shall end; all: those of its client.
func (m *Model) ask(all bool) {
	r := m.chosen()
	switch {
	case r == nil:
	case m.view == viewFlows && !all:
		m.question = askFlow(r.flow)
	case m.view == viewFlows:
		m.question = m.askClient(host(r.flow.Client))
	case m.view == viewClients:
		m.question = m.askClient(r.key)
	case m.view == viewDestinations:
		m.question = askDestination(r.key)
	}
}
