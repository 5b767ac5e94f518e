//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
)

// journal takes what sluice writes to standard error, line by line.
type journal struct {
	mu      sync.Mutex // guards all below
	partial []byte
	lines   []string
}

// Write takes any part of the output.
func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.partial = append(j.partial, p...)
	for {
		line, rest, found := bytes.Cut(j.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		j.lines = append(j.lines, string(line))
		j.partial = append([]byte(nil), rest...)
	}
}

// len is the number of lines so far.
func (j *journal) len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.lines)
}

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
	j.mu.Lock()
	lines := j.lines[n:]
	j.mu.Unlock()
	var found []entry
	for _, line := range lines {
		var e entry
		if json.Unmarshal([]byte(line), &e) == nil && match(e) {
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
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	if len(lines) > most {
		lines = append(append(append([]string(nil), lines[:most/2]...), "..."), lines[len(lines)-most/2:]...)
	}
	return strings.Join(lines, "\n") + string(j.partial)
}
