package count

import (
	"time"

	"github.com/rs/zerolog"
)

// Each cause may write logBurst lines in a logPeriod; the first line of a
// later period says how many were left out.
const (
	logBurst  = 5
	logPeriod = int64(time.Second)
)

// Log logs refusals and failures, rate-limited by cause, so that nobody on the
// network can fill a disk. Owned by one worker.
type Log struct {
	log    zerolog.Logger
	causes [numCounters]struct {
		since      int64 // ns of Reactor.Now
		written    uint32
		suppressed uint64
	}
}

// NewLog returns a log that writes to log.
func NewLog(log zerolog.Logger) *Log { return &Log{log: log} }

// Warn begins a line for cause at now (ns of Reactor.Now), or returns nil, on
// which all of zerolog's methods do nothing.
func (l *Log) Warn(cause Counter, now int64) *zerolog.Event {
	c := &l.causes[cause]
	if now-c.since >= logPeriod {
		c.since = now
		c.written = 0
	}
	if c.written >= logBurst {
		c.suppressed++
		return nil
	}
	c.written++
	e := l.log.Warn().Stringer("cause", cause)
	if c.suppressed > 0 {
		e = e.Uint64("suppressed", c.suppressed)
		c.suppressed = 0
	}
	return e
}
