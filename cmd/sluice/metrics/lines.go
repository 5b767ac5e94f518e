package metrics

import (
	"sync/atomic"

	"github.com/rs/zerolog"
)

// Lines counts log lines by their level, as a hook of the logger. Any goroutine may
// log.
type Lines struct {
	counts [len(levels)]atomic.Uint64
}

// levels are those that are counted; what lies beyond ends the program.
var levels = [...]zerolog.Level{zerolog.TraceLevel, zerolog.DebugLevel, zerolog.InfoLevel, zerolog.WarnLevel, zerolog.ErrorLevel}

// Run counts a line that is about to be written.
func (l *Lines) Run(_ *zerolog.Event, level zerolog.Level, _ string) {
	if i := int(level - zerolog.TraceLevel); i >= 0 && i < len(l.counts) {
		l.counts[i].Add(1)
	}
}

func (l *Lines) writeTo(p *page) {
	if l == nil {
		return
	}
	lines := p.counter("sluice_log_lines_total", "Lines of the log, by level.")
	for i, level := range levels {
		lines.is(l.counts[i].Load(), "level", level.String())
	}
}
