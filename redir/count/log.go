package count

import (
	"time"

	"github.com/rs/zerolog"
)

// limit bounds the lines of a cause: burst of them in a period. The first line of a
// later period says how many were left out.
type limit struct {
	burst  uint32
	period int64 // ns
}

// Who is at work on a gateway sees warnings, and with --log-level debug the rest, as
// they come. Who reads its journal later gets a sample of what clients did.
var (
	often  = limit{5, int64(time.Second)}
	seldom = limit{10, int64(time.Minute)}
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

// Line begins a line for cause, of its level, at now (ns of Reactor.Now), or returns
// nil, on which all of zerolog's methods do nothing.
func (l *Log) Line(cause Counter, now int64) *zerolog.Event {
	return l.begin(cause.Level(), cause, now)
}

// Warn is Line for what concerns the operator also where the cause by itself does
// not: what could not be reached is a server of his own.
func (l *Log) Warn(cause Counter, now int64) *zerolog.Event {
	return l.begin(zerolog.WarnLevel, cause, now)
}

// Info is the same for what few clients do, of what many do.
func (l *Log) Info(cause Counter, now int64) *zerolog.Event {
	return l.begin(zerolog.InfoLevel, cause, now)
}

func (l *Log) begin(level zerolog.Level, cause Counter, now int64) *zerolog.Event {
	least := zerolog.GlobalLevel()
	if level < least {
		return nil
	}
	most := often
	if level < zerolog.WarnLevel && least > zerolog.DebugLevel {
		most = seldom
	}
	c := &l.causes[cause]
	if now-c.since >= most.period {
		c.since = now
		c.written = 0
	}
	if c.written >= most.burst {
		c.suppressed++
		return nil
	}
	c.written++
	e := l.log.WithLevel(level).Stringer("cause", cause)
	if c.suppressed > 0 {
		e = e.Uint64("suppressed", c.suppressed)
		c.suppressed = 0
	}
	return e
}
