package program

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// Journal takes what a program writes. Any goroutine may use it; the zero value is
// ready.
type Journal struct {
	mu      sync.Mutex // guards all below
	partial []byte
	lines   []string // what is there does not change
}

// Write takes any part of the output.
func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.partial = append(j.partial, p...)
	for {
		line, rest, found := bytes.Cut(j.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		j.lines = append(j.lines, string(line))
		j.partial = bytes.Clone(rest)
	}
}

// Len is the number of whole lines so far.
func (j *Journal) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.lines)
}

// Lines returns the whole lines from number from on, and what follows the last.
func (j *Journal) Lines(from int) (lines []string, partial string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clip(j.lines[from:]), string(j.partial)
}

// Says tells whether some whole line holds the text.
func (j *Journal) Says(text string) bool {
	lines, _ := j.Lines(0)
	return slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) })
}

// Entries returns those from line number from on whose message it is.
func (j *Journal) Entries(from int, message string) (found []map[string]any) {
	for _, e := range j.All(from) {
		if e["message"] == message {
			found = append(found, e)
		}
	}
	return found
}

// All returns the entries from line number from on.
func (j *Journal) All(from int) (found []map[string]any) {
	lines, _ := j.Lines(from)
	for _, line := range lines {
		var e map[string]any
		if json.Unmarshal([]byte(line), &e) == nil {
			found = append(found, e)
		}
	}
	return found
}
