package main

import (
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// newLogger writes to standard error: lines for people on a terminal, JSON
// elsewhere, unless format says which. The level is the library's global one,
// so that a reload can change it under every copy of the logger.
func newLogger(format, level string) (zerolog.Logger, error) {
	least, err := zerolog.ParseLevel(level)
	if err != nil {
		return zerolog.Nop(), fmt.Errorf("--log-level %q: want trace, debug, info, warn or error", level)
	}
	console := format == "console" || format == "auto" && term.IsTerminal(int(os.Stderr.Fd()))
	log := zerolog.New(os.Stderr)
	if console {
		log = zerolog.New(zerolog.ConsoleWriter{Out: os.Stderr, TimeFormat: time.TimeOnly,
			NoColor: os.Getenv("NO_COLOR") != "" || !term.IsTerminal(int(os.Stderr.Fd()))})
	}
	zerolog.SetGlobalLevel(least)
	return log.With().Timestamp().Logger(), nil
}
