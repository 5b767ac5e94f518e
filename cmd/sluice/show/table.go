package show

import "strings"

// Column is one of a Table.
type Column struct {
	Title string
	Right bool // its cells end at one column, as numbers do
	Least int  // columns that it keeps when there are too few; 0: it is not shortened
}

// Table is lines of cells, which are of printable ASCII (Text).
type Table struct {
	Columns []Column
	Rows    [][]string // a cell for each column
}

// Lines are the heading and the rows, each cut to width columns; 0: as wide as they
// are. Columns are as wide as their widest cell; where that is too much, those that may
// be shortened are, widest first. Cells that have no room even so are left out, whole:
// a number without its end is another.
func (t *Table) Lines(width int) []string {
	widths := t.widths(width)
	lines := make([]string, 0, len(t.Rows)+1)
	titles := make([]string, len(t.Columns))
	for i := range t.Columns {
		titles[i] = t.Columns[i].Title
	}
	lines = append(lines, t.line(titles, widths, width))
	for _, row := range t.Rows {
		lines = append(lines, t.line(row, widths, width))
	}
	return lines
}

// between is how many columns are left free between two cells.
const between = 2

func (t *Table) widths(width int) []int {
	widths := make([]int, len(t.Columns))
	sum := -between
	for i := range t.Columns {
		widths[i] = len(t.Columns[i].Title)
		for _, row := range t.Rows {
			widths[i] = max(widths[i], len(row[i]))
		}
		sum += widths[i] + between
	}
	for width > 0 && sum > width {
		widest := -1
		for i, c := range t.Columns {
			if c.Least > 0 && widths[i] > c.Least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
		sum--
	}
	if width > 0 && len(widths) > 0 {
		widths[0] = min(widths[0], width)
	}
	return widths
}

func (t *Table) line(cells []string, widths []int, width int) string {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", between))
		}
		cell = Cut(cell, widths[i])
		blank := strings.Repeat(" ", widths[i]-len(cell))
		if t.Columns[i].Right {
			cell = blank + cell
		} else {
			cell += blank
		}
		if width > 0 && b.Len()+len(cell) > width {
			break
		}
		b.WriteString(cell)
	}
	return strings.TrimRight(b.String(), " ")
}
