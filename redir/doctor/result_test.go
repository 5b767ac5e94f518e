package doctor

import (
	"testing"

	"sluice/redir/quote"
)

func TestResultIsALine(t *testing.T) {
	const evil = "chain \x1b[2J\nok    all: is well"
	r := Result{Name: "rules", Status: Warn, Detail: evil, Remedy: evil, Lasting: evil}
	if line := r.String(); quote.Line(line) != line {
		t.Errorf("%q", line)
	}
}
