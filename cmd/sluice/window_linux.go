package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/rs/zerolog"

	"sluice/cmd/sluice/control"
	"sluice/cmd/sluice/metrics"
	"sluice/cmd/sluice/page"
	"sluice/cmd/sluice/service"
	"sluice/cmd/sluice/watch"
	"sluice/redir"
)

// window is the control socket of the process: opened before it gives up its rights,
// answered from when it serves until it ends or another one has taken over. The zero
// value is none. The process' goroutine uses it; sockets and close, a hand-over too.
type window struct {
	listener *control.Listener // nil: there is none
	token    control.Token
	server   *control.Server
	watch    *watch.Watch
	serving  sync.Once
	closing  sync.Once
}

var errControlToken = errors.New("--control ADDR:PORT: whoever reaches it could steer sluice: name a --control-token-file, or set " + control.TokenVariable)

// open opens the socket, or takes it from the fds that a sluice before has handed
// over, of which it returns the rest. Where no socket was asked for, one that cannot
// be had is no reason to fail.
func (w *window) open(cmd *runCmd, account service.Account, fds []int, log zerolog.Logger) ([]int, error) {
	at := cmd.Control
	if at.IsOff() {
		return fds, nil
	}
	if _, err := os.Stat(filepath.Dir(control.Default)); at.IsDefault() && err != nil {
		return fds, nil
	}
	if at.TCP().IsValid() {
		var err error
		if w.token, err = control.ReadToken(cmd.ControlTokenFile); err != nil {
			return fds, err
		}
		if w.token == "" {
			return fds, errControlToken
		}
	}
	owner := control.Owner{UID: os.Geteuid(), GID: os.Getegid()}
	if cmd.User != "" {
		owner = control.Owner{UID: account.UID(), GID: account.GID()}
	}
	l, rest, err := control.Listen(at, owner, fds)
	switch {
	case err != nil && at.IsDefault():
		log.Warn().Err(err).Msg("there is no control socket; name another one with --control, or --control off")
	case err != nil:
		return fds, fmt.Errorf("--control: %w", err)
	default:
		w.listener = l
	}
	return rest, nil
}

// reserved are addresses that nobody's traffic may go to.
func (cmd *runCmd) reserved() []netip.AddrPort {
	if at := cmd.Control.TCP(); at.IsValid() {
		return []netip.AddrPort{at}
	}
	return nil
}

// validateControl finds fault with its flags.
func (cmd *runCmd) validateControl() error {
	if cmd.ControlTokenFile != "" && !cmd.Control.TCP().IsValid() {
		return errors.New("--control-token-file: a token is asked for at an address alone: name it by --control, or leave the file out; of a unix socket its mode and its directory say who may")
	}
	return nil
}

// removes is where a socket is to be removed from at the end.
func (w *window) removes() []string {
	if w.listener == nil || w.listener.Alone() == "" {
		return nil
	}
	return []string{w.listener.Alone()}
}

// prepare makes what answers, once the server is there.
func (w *window) prepare(p *process) {
	if w.listener == nil {
		return
	}
	w.watch = watch.New(watch.Config{Source: p.server, Health: p.standing.readiness, Usage: p.standing.taken})
	w.server = control.New(control.Config{
		Token: w.token, Steer: steering{p}, Flows: p.server, NoFlow: redir.ErrNoFlow, Watch: w.watch,
		Health: p.standing.health, Metrics: metrics.Handler(p.standing.snapshot), Page: page.Handler(), Log: p.log,
	})
}

// serve begins to answer. It may be called again.
func (w *window) serve() {
	if w.server != nil {
		w.serving.Do(func() { w.server.Serve(w.listener) })
	}
}

// ready has everything answered that is asked for.
func (w *window) ready() {
	if w.server != nil {
		w.server.Ready()
	}
}

// String is where it is.
func (w *window) String() string {
	if w.listener == nil {
		return "off"
	}
	return w.listener.Address().Where()
}

// sockets are to be shown to another process.
func (w *window) sockets() []int {
	if w.listener == nil {
		return nil
	}
	fd, err := w.listener.FD()
	if err != nil {
		return nil
	}
	return []int{fd}
}

// close ends it. It may be called again.
func (w *window) close() {
	w.closing.Do(func() {
		if w.server != nil {
			w.server.Close()
			w.watch.Close()
		}
		if w.listener != nil {
			w.listener.Close()
		}
	})
}
