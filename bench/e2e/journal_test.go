//go:build linux

package e2e

import (
	"sluice/bench/program"
	"strings"
)

// journal is what sluice writes to standard error.
type journal struct{ program.Journal }

// entry is one line's fields; empty for a line that is no JSON.
type entry map[string]any

func (e entry) text(field string) string {
	s, _ := e[field].(string)
	return s
}

// number is a field's value, 0 where it is missing: sluice leaves zeroes out.
func (e entry) number(field string) int {
	n, _ := e[field].(float64)
	return int(n)
}

// since returns the entries from the n-th line on for which match is true.
func (j *journal) since(n int, match func(entry) bool) []entry {
	var found []entry
	for _, e := range j.All(n) {
		if match(e) {
			found = append(found, e)
		}
	}
	return found
}

// message matches the entries with this message.
func message(want string) func(entry) bool {
	return func(e entry) bool { return e.text("message") == want }
}

// String is all of it, the middle left out where it is long.
func (j *journal) String() string {
	const most = 120
	lines, partial := j.Lines(0)
	if len(lines) > most {
		lines = append(append(append([]string(nil), lines[:most/2]...), "..."), lines[len(lines)-most/2:]...)
	}
	return strings.Join(lines, "\n") + partial
}
