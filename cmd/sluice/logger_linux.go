package main

import (
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
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
		log = zerolog.New(zerolog.ConsoleWriter{Out: errorOutput{}, TimeFormat: time.TimeOnly,
			NoColor: os.Getenv("NO_COLOR") != "" || !term.IsTerminal(int(os.Stderr.Fd()))})
	}
	zerolog.SetGlobalLevel(least)
	return log.With().Timestamp().Logger(), nil
}
