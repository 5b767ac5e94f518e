package count

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

func TestCauseLogIsRateLimitedPerCause(t *testing.T) {
	var out bytes.Buffer
	l := Log{log: zerolog.New(&out)}
	now := 10 * logPeriod
	for range 100 {
		l.Warn(RefusedListener, now).Msg("listener")
	}
	l.Warn(RefusedPortZero, now).Msg("port zero")
	l.Warn(RefusedListener, now+logPeriod).Msg("later")
	if n := strings.Count(out.String(), `"message":"listener"`); n != logBurst {
		t.Errorf("%d lines of one cause, want %d", n, logBurst)
	}
	if !strings.Contains(out.String(), "port zero") {
		t.Error("one cause silenced another")
	}
	if !strings.Contains(out.String(), `"suppressed":95`) {
		t.Errorf("the lines left out are not counted: %s", out.String())
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
