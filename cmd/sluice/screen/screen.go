package screen

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"sluice/cmd/sluice/show"
)

// View is the whole screen.
func (m *Model) View() tea.View {
	v := tea.NewView(m.content())
	v.AltScreen = true
	return v
}

func (m *Model) content() string {
	lines := m.head()
	foot := m.foot()
	lines = append(lines, m.body(m.height-len(lines)-1)...)
	var b strings.Builder
	for i := range m.height {
		switch {
		case i == m.height-1:
			foot.write(&b, m.width)
		case i < len(lines):
			lines[i].write(&b, m.width)
		}
		if i < m.height-1 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// body is what is between head and foot, in n lines at most.
func (m *Model) body(n int) (lines []*line) {
	if m.lost != nil {
		for _, text := range wrap(show.Text(m.lost.Error()), m.width) {
			lines = append(lines, (&line{}).add(bad, text))
		}
	}
	switch {
	case m.help:
		lines = append(lines, helpLines()...)
	case m.opened != nil:
		lines = append(lines, m.opened.lines(m)...)
	default:
		lines = append(lines, m.tabs())
		lines = append(lines, m.table(n-len(lines))...)
	}
	return lines[:max(min(len(lines), n), 0)]
}

// table is the rows of the view in effect that there is room for in n lines, with
// what stands above them.
func (m *Model) table(n int) []*line {
	t := &m.tables[m.view]
	columns, width := columnsOf[m.view], m.width
	trends := m.trends[m.view]
	if width < trendFrom {
		trends = nil
	} else if trends != nil {
		width -= trendWidth + between
	}
	widths := widthsOf(columns, width)
	lines := m.headings(columns, widths)
	rows := m.rows()
	n -= len(lines)
	t.settle(rows, n)
	for i := t.top; i < len(rows) && i < t.top+n; i++ {
		look := rows[i].look
		if m.lost != nil {
			look = faint
		}
		if i == t.at {
			look = chosen
		}
		l := (&line{}).add(look, layOut(columns, widths, rows[i].cells)).fill(look, width)
		if trends != nil {
			l.add(plain, "  ").add(down, trends.of(rows[i].key, m.look))
		}
		lines = append(lines, l)
	}
	if len(rows) == 0 && m.sample != nil {
		lines = append(lines, (&line{}).add(faint, "none"))
	}
	return lines
}

// headings are the titles of the columns, and above them the filter, where there is one.
func (m *Model) headings(columns []column, widths []int) (lines []*line) {
	t := &m.tables[m.view]
	if m.entry == nil && t.filter != "" {
		about := "only " + t.filter
		if m.view == viewFlows && m.sample != nil {
			about += fmt.Sprintf(" (%d flows)", m.sample.Total)
		}
		lines = append(lines, (&line{}).add(amber, about))
	}
	titles := make([]string, len(columns))
	for i := range columns {
		titles[i] = columns[i].title
	}
	return append(lines, (&line{}).add(strong, layOut(columns, widths, titles)))
}

// foot is the last line: a question, what is typed, a note, or the keys.
func (m *Model) foot() *line {
	l := &line{}
	switch {
	case m.question != nil:
		const answers = " y/n "
		return l.add(chosen, show.Cut(m.question.text, m.width-len(answers))+answers)
	case m.entry != nil:
		l.add(strong, "filter: ").add(plain, tail(m.entry.text, m.width-len("filter: ")-1)).add(chosen, " ")
		hint := m.entry.amiss
		if hint == "" && m.view == viewFlows && m.entry.text == "" {
			hint = " 10.0.0.0/8, .example.com, :443, udp, state=dialing, idle=1m …"
		}
		look := faint
		if m.entry.amiss != "" {
			look, hint = bad, "  "+hint
		}
		if !m.look.Blocks {
			hint = strings.ReplaceAll(hint, "…", "...")
		}
		return l.add(look, hint)
	case m.note != "":
		return l.add(amber, m.note)
	case m.help:
		return l.add(faint, "any key: back")
	case m.opened != nil:
		return l.add(faint, "k end it  K end its client's  esc back  q quit")
	}
	keys := "s sort  / filter  enter flows  k end its flows  p pause  ? help  q quit"
	switch m.view {
	case viewFlows:
		keys = "s sort  / filter  enter open  k end  K end its client's  p pause  ? help  q quit"
	case viewRefusals:
		keys = "s sort  / filter  p pause  ? help  q quit"
	}
	if m.width < len(keys) {
		keys = "? help  q quit  s sort  / filter  enter open  k end  p pause"
	}
	return l.add(faint, keys)
}

// tail is the end of a text that has room in width.
func tail(s string, width int) string { return s[max(len(s)-max(width, 0), 0):] }

// wrap breaks a text into lines of a width, at blanks where there are some.
func wrap(s string, width int) (lines []string) {
	if width <= 0 {
		return nil
	}
	for len(s) > width {
		at := strings.LastIndexByte(s[:width+1], ' ')
		if at <= 0 {
			at = width
		}
		lines = append(lines, strings.TrimRight(s[:at], " "))
		s = strings.TrimLeft(s[at:], " ")
	}
	return append(lines, s)
}
