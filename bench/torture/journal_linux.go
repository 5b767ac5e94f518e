package torture

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// journal takes what sluice writes to standard error, line by line. Any goroutine.
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

// last is what the last line says.
func (j *journal) last() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.lines) == 0 {
		return "it said nothing"
	}
	return words(j.lines[len(j.lines)-1])
}

// reason is why sluice ended: what its last line says, if that tells of an error or was
// said before there was a log; else what Go's runtime died of, whose own wait for
// events failed. A panic is no reason.
func (j *journal) reason() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := ""
	for _, line := range append(slices.Clone(j.lines), string(j.partial)) {
		switch {
		case strings.HasPrefix(line, "panic: "):
			return ""
		case strings.HasPrefix(line, "fatal error: "):
			return line
		case line != "":
			last = line
		}
	}
	var entry map[string]any
	if json.Unmarshal([]byte(last), &entry) == nil {
		if level := entry["level"]; level != "error" && level != "fatal" {
			return ""
		}
		return words(last)
	}
	return last
}

// says tells whether some line holds the text.
func (j *journal) says(text string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(j.lines, func(line string) bool { return strings.Contains(line, text) })
}

// since returns the entries with this message from line n on.
func (j *journal) since(n int, message string) []map[string]any {
	j.mu.Lock()
	lines := j.lines[n:]
	j.mu.Unlock()
	var found []map[string]any
	for _, line := range lines {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && entry["message"] == message {
			found = append(found, entry)
		}
	}
	return found
}
