package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"sluice/redir/quote"
)

// errorOutput is standard error, but that a line for which it has no room is
// left out: reactors log, and a reader that has stopped, a pager say or a
// terminal after Ctrl-S, must not stop them. A pipe that poll(2) calls writable
// takes a line of up to a page whole (pipe_poll in fs/pipe.c).
type errorOutput struct{}

func (errorOutput) Write(line []byte) (int, error) {
	room := []unix.PollFd{{Fd: int32(os.Stderr.Fd()), Events: unix.POLLOUT}}
	if n, err := unix.Poll(room, 0); n == 0 && err == nil {
		return len(line), nil
	}
	return os.Stderr.Write(line)
}

// consoleWriter writes lines for people. The library quotes texts of fields, and
// shows a message as it is, and most of a list, which may name rules of others.
func consoleWriter(out io.Writer, noColor bool) zerolog.ConsoleWriter {
	return zerolog.ConsoleWriter{Out: out, TimeFormat: time.TimeOnly, NoColor: noColor,
		FormatPrepare: func(line map[string]any) error {
			if message, ok := line[zerolog.MessageFieldName].(string); ok {
				line[zerolog.MessageFieldName] = quote.Line(message)
			}
			for _, field := range line {
				list, _ := field.([]any)
				for i, item := range list {
					if text, ok := item.(string); ok {
						list[i] = quote.Line(text)
					}
				}
			}
			return nil
		}}
}

// newLogger writes to standard error: lines for people on a terminal, JSON
// elsewhere, unless format says which. The level is the library's global one,
// so that a reload can change it under every copy of the logger.
func newLogger(format, level string) (zerolog.Logger, error) {
	least, err := zerolog.ParseLevel(level)
	if err != nil {
		return zerolog.Nop(), fmt.Errorf("--log-level %q: want trace, debug, info, warn or error", level)
	}
	console := format == "console" || format == "auto" && term.IsTerminal(int(os.Stderr.Fd()))
	log := zerolog.New(errorOutput{})
	if console {
		log = zerolog.New(consoleWriter(errorOutput{}, os.Getenv("NO_COLOR") != "" || !term.IsTerminal(int(os.Stderr.Fd()))))
	}
	zerolog.SetGlobalLevel(least)
	return log.With().Timestamp().Logger(), nil
}
