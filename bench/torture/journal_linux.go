package torture

import (
	"encoding/json"
	"strings"

	"sluice/bench/program"
)

// last is what the last line says.
func last(j *program.Journal) string {
	lines, _ := j.Lines(0)
	if len(lines) == 0 {
		return "it said nothing"
	}
	return words(lines[len(lines)-1])
}

// reason is why sluice ended: what its last line says, if that tells of an error or was
// said before there was a log; else what Go's runtime died of, whose own wait for
// events failed. A panic is no reason.
func reason(j *program.Journal) string {
	lines, partial := j.Lines(0)
	said := ""
	for _, line := range append(lines, partial) {
		switch {
		case strings.HasPrefix(line, "panic: "):
			return ""
		case strings.HasPrefix(line, "fatal error: "):
			return line
		case line != "":
			said = line
		}
	}
	var entry map[string]any
	if json.Unmarshal([]byte(said), &entry) == nil {
		if level := entry["level"]; level != "error" && level != "fatal" {
			return ""
		}
		return words(said)
	}
	return said
}
