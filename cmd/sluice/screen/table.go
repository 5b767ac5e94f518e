package screen

import (
	"slices"
	"strings"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/show"
)

// table is how the operator wants a view.
type table struct {
	sort     int // index into sortsOf
	reversed bool
	filter   string
	from     int       // of the flows: the view that the filter was chosen in
	query    api.Query // of the flows: what the filter means, and the order

	key string // of the row that is chosen
	at  int    // where it is, or was
	top int    // the first row that is shown
}

// turned turns a comparison round, if the operator wants it.
func (t *table) turned(order int) int {
	if t.reversed {
		return -order
	}
	return order
}

// matches reports whether one of the texts has the filter in it.
func (t *table) matches(texts ...string) bool {
	return t.filter == "" || slices.ContainsFunc(texts, func(s string) bool {
		return strings.Contains(strings.ToLower(show.Text(s)), strings.ToLower(t.filter))
	})
}

// settle finds the chosen row again, wherever it is now, and brings it among the n
// that there is room for.
func (t *table) settle(rows []row, n int) {
	if i := slices.IndexFunc(rows, func(r row) bool { return r.key == t.key }); i >= 0 && t.key != "" {
		t.at = i
	}
	t.at = max(min(t.at, len(rows)-1), 0)
	t.key = ""
	if len(rows) > 0 {
		t.key = rows[t.at].key
	}
	n = max(n, 1)
	t.top = max(min(t.top, t.at, len(rows)-n), t.at-n+1, 0)
}

// move chooses another row.
func (t *table) move(rows []row, by int) {
	t.settle(rows, len(rows))
	if len(rows) > 0 {
		t.at = max(min(t.at+by, len(rows)-1), 0)
		t.key = rows[t.at].key
	}
}

// widthsOf shares the width among the columns; -1: it has no place.
func widthsOf(columns []column, width int) []int {
	widths := make([]int, len(columns))
	left, shares := width+between, 0
	for i, c := range columns {
		switch {
		case width < c.from:
			widths[i] = -1
			continue
		case c.share == 0:
			widths[i] = c.width
		}
		left -= widths[i] + between
		shares += c.share
	}
	for i, c := range columns {
		if c.share > 0 && widths[i] >= 0 {
			widths[i] = max(left*c.share/shares, 0)
			left -= widths[i]
			shares -= c.share
		}
	}
	return widths
}

// between is how many columns are free between two cells.
const between = 2

// layOut puts cells into their columns.
func layOut(columns []column, widths []int, cells []string) string {
	var b strings.Builder
	first := true
	for i, width := range widths {
		if width < 0 {
			continue
		}
		if !first {
			b.WriteString(strings.Repeat(" ", between))
		}
		first = false
		cell := show.Cut(cells[i], width)
		blank := strings.Repeat(" ", width-len(cell))
		if columns[i].right {
			b.WriteString(blank + cell)
		} else {
			b.WriteString(cell + blank)
		}
	}
	return b.String()
}
