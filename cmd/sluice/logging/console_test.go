package logging

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"sluice/redir/quote"
)

// TestNothingReachesTheTerminal logs text that would command it, in each place
// where a line has text.
func TestNothingReachesTheTerminal(t *testing.T) {
	const evil = "\x1b[2J\x9b31m\u202e\nsluice: all is well"
	var out bytes.Buffer
	log := zerolog.New(consoleWriter(&out, true))
	log.Warn().Err(errors.New(evil)).Str("by", evil).Strs("flags", []string{evil}).AnErr("cause", errors.New(evil)).
		Bytes("raw", []byte(evil)).Msg("chain " + evil)
	line, rest, _ := strings.Cut(out.String(), "\n")
	if rest != "" || quote.Line(line) != line || !strings.Contains(line, `chain \x1b[2J`) {
		t.Errorf("%q", out.String())
	}
}
