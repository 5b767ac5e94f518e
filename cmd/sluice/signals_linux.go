package main

import (
	"os"
	"os/signal"
	"syscall"
)

// signals are those that a running sluice listens to, each kind by a channel of
// its own: one that comes often fills no other's. Of one kind, those that come
// before the last was looked at are one.
type signals struct {
	stop     chan os.Signal // SIGTERM, SIGINT
	reload   chan os.Signal // SIGHUP
	counters chan os.Signal // SIGUSR1
}

// listenForSignals also lets writes to a pipe that nobody reads any more fail
// (EPIPE): a log whose reader is gone ends nothing.
func listenForSignals() signals {
	signal.Ignore(syscall.SIGPIPE)
	s := signals{make(chan os.Signal, 2), make(chan os.Signal, 1), make(chan os.Signal, 1)}
	signal.Notify(s.stop, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(s.reload, syscall.SIGHUP)
	signal.Notify(s.counters, syscall.SIGUSR1)
	return s
}
