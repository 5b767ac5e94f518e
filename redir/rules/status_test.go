package rules

import (
	"strings"
	"testing"

	"sluice/redir/quote"
)

// TestStatusIsLines: whatever others call their chains, each thing is one line,
// and none commands the terminal.
func TestStatusIsLines(t *testing.T) {
	const evil = "ip x\x1b[2J\nfault"
	s := Status{Installed: true, Owner: evil, Missing: []string{evil}, Faults: []Fault{{What: evil}}, Leftover: []string{evil},
		Pasted: []Delivery{{Where: evil}}, Others: []Delivery{{Where: evil}}, Unseen: []string{evil}}
	text := s.String()
	if lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n"); len(lines) != 7 {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); quote.Line(line) != line {
			t.Errorf("%q", line)
		}
	}
}
