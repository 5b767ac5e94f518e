package count

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// atLevel sets the library's level, as --log-level does, for one test.
func atLevel(t *testing.T, level zerolog.Level) {
	t.Helper()
	before := zerolog.GlobalLevel()
	zerolog.SetGlobalLevel(level)
	t.Cleanup(func() { zerolog.SetGlobalLevel(before) })
}

func TestCauseLogIsRateLimitedPerCause(t *testing.T) {
	for _, c := range []struct {
		least       zerolog.Level
		often, once Counter // two of one level
		level       string
		most        limit
	}{
		{zerolog.InfoLevel, RefusedScarce, AcceptPaused, "warn", often},
		{zerolog.InfoLevel, RefusedListener, RefusedOwnAddress, "info", seldom},
		{zerolog.DebugLevel, RefusedListener, RefusedOwnAddress, "info", often},
		{zerolog.DebugLevel, FailedUpstreamRefused, FailedUpstreamTimeout, "debug", often},
	} {
		atLevel(t, c.least)
		var out bytes.Buffer
		l := NewLog(zerolog.New(&out))
		now := 10 * c.most.period
		for range 100 {
			l.Line(c.often, now).Msg("again")
		}
		l.Line(c.once, now).Msg("another")
		l.Line(c.often, now+c.most.period-1).Msg("soon")
		l.Line(c.often, now+c.most.period).Msg("later")
		text := out.String()
		if n := strings.Count(text, `"message":"again"`); n != int(c.most.burst) {
			t.Errorf("%d lines of %s, want %d", n, c.often, c.most.burst)
		}
		if strings.Count(text, `"level":"`+c.level+`"`) != int(c.most.burst)+2 {
			t.Errorf("%s is not logged as %s: %s", c.often, c.level, text)
		}
		if !strings.Contains(text, "another") {
			t.Errorf("%s silenced %s", c.often, c.once)
		}
		if left := 101 - c.most.burst; strings.Contains(text, "soon") || !strings.Contains(text, `"suppressed":`+strconv.Itoa(int(left))) {
			t.Errorf("of the %d lines left out: %s", left, text)
		}
	}
}

// TestClientsCannotFillTheLog: what the level hides neither is written nor uses up
// what a warning of the same cause may have.
func TestClientsCannotFillTheLog(t *testing.T) {
	atLevel(t, zerolog.InfoLevel)
	var out bytes.Buffer
	l := NewLog(zerolog.New(&out))
	for range 100 {
		l.Line(FailedUpstreamRefused, 1).Msg("a destination")
	}
	l.Warn(FailedUpstreamRefused, 1).Msg("a server of the operator's")
	if text := out.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"level":"warn"`) || strings.Contains(text, "suppressed") {
		t.Errorf("logged %s", text)
	}
}

func TestEveryCounterHasAName(t *testing.T) {
	seen := map[string]Counter{}
	for c := Counter(1); c < numCounters; c++ {
		if c == firstRefusal || c == firstFailure || c == firstEnd || c == firstDrop || c == firstEvent {
			continue
		}
		name := c.String()
		if other, twice := seen[name]; name == "" || twice {
			t.Errorf("counter %d: name %q, also that of %d", c, name, other)
		}
		seen[name] = c
	}
}
