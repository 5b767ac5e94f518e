package logging

import (
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// timeFormat is RFC 3339 with milliseconds, as the access log has it too.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// Output is where the program's lines go. Any goroutine may write to Log.
type Output struct {
	Log     zerolog.Logger
	tally   *tally
	journal *queue // nil: the lines go elsewhere
}

// Open begins to log in a format (the package's doc) from a level on. The level is
// the library's global one, so that SetLevel changes it under every copy of Log.
func Open(format, level string) (*Output, error) {
	if err := SetLevel(level); err != nil {
		return nil, err
	}
	zerolog.TimeFieldFormat = timeFormat
	o := &Output{tally: new(tally)}
	errors := errorOutput{o.tally}
	switch format = resolve(format); format {
	case "journald":
		if !journal.Enabled() {
			return nil, fmt.Errorf("--log-format journald: nobody listens at /run/systemd/journal/socket; leave it at auto, or say console or json")
		}
		o.journal = newQueue(o.tally, sendLine)
		go o.journal.run()
		o.Log = zerolog.New(o.journal)
	case "console":
		o.Log = zerolog.New(consoleWriter(errors, os.Getenv("NO_COLOR") != "" || !term.IsTerminal(int(os.Stderr.Fd()))))
	default:
		o.Log = zerolog.New(errors)
	}
	o.Log = o.Log.With().Timestamp().Logger()
	return o, nil
}

// resolve is what auto means here.
func resolve(format string) string {
	if format != "auto" {
		return format
	}
	if streams, err := journal.StderrIsJournalStream(); err == nil && streams && journal.Enabled() {
		return "journald"
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		return "console"
	}
	return "json"
}

// SetLevel sets the least level that is logged, from now on.
func SetLevel(level string) error {
	least, err := zerolog.ParseLevel(level)
	if err != nil || level == "" {
		return fmt.Errorf("--log-level %q: want trace, debug, info, warn or error", level)
	}
	zerolog.SetGlobalLevel(least)
	return nil
}

// Lost is how many lines found no room so far.
func (o *Output) Lost() uint64 { return o.tally.lost.Load() }

// Written is how many were written.
func (o *Output) Written() uint64 { return o.tally.written.Load() }

// closePatience is how long the end waits for the journal.
const closePatience = time.Second

// Close waits until the lines so far are where they go, or it took too long.
func (o *Output) Close() {
	if o.journal != nil {
		o.journal.close(closePatience)
	}
}
