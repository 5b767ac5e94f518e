package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"sluice/cmd/sluice/api"
	"sluice/redir/config"
	"sluice/redir/count"
)

// steering is the process as its control socket sees it: any goroutine.
type steering struct{ *process }

// effect is a configuration that is in effect. It never changes.
type effect struct {
	config config.Config
	drain  time.Duration // --drain-timeout
}

func (s steering) Status(context.Context) api.Status { return s.standing.status() }

func (s steering) Counters() api.Counters {
	stats, all := s.server.Settled(), map[string]uint64{}
	for _, c := range count.All() {
		all[c.String()] = stats[c]
	}
	return api.Counters{Time: time.Now(), Counters: all}
}

func (s steering) Config() []byte { return s.inEffect.Load().config.Print() }

func (s steering) LogLevel() string { return zerolog.GlobalLevel().String() }

// logLevels are those of --log-level.
func logLevels() []string { return []string{"trace", "debug", "info", "warn", "error"} }

func (s steering) SetLogLevel(level string) error {
	if !slices.Contains(logLevels(), level) {
		return fmt.Errorf("level: %q: want %s", level, strings.Join(logLevels(), ", "))
	}
	least, err := zerolog.ParseLevel(level)
	if err != nil {
		return err
	}
	zerolog.SetGlobalLevel(least)
	s.log.Info().Str("log_level", level).Msg("the log has another level, as the control socket was told")
	return nil
}

func (s steering) Reload() ([]string, error) {
	changes, err := s.reloadNow()
	if errors.Is(err, errNothingToReread) || errors.Is(err, errFollowed) {
		err = &api.Problem{Status: http.StatusConflict, Detail: err.Error()}
	}
	return changes, err
}

// Drain has the process' goroutine begin the end. Another request is none to end at
// once, which another signal would be.
func (s steering) Drain() api.Draining {
	stats := s.server.Stats()
	if s.standing.state.Load() != stateDraining && s.drainAsked.CompareAndSwap(false, true) {
		select {
		case s.signals.stop <- askedToStop{}:
		default: // signals wait there
		}
	}
	return api.Draining{Connections: stats.ConnsNow(), Seconds: s.inEffect.Load().drain.Seconds()}
}

// askedToStop stands for a signal.
type askedToStop struct{}

func (askedToStop) Signal() {}

func (askedToStop) String() string { return "of the control socket" }
