package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"sluice/cmd/sluice/keep"
	"sluice/cmd/sluice/logging"
	"sluice/cmd/sluice/service"
	"sluice/redir/rules"
)

// keeperName is what the keeper's command line begins with. What follows is that
// of the sluice that started it, so that both read the same.
const keeperName = "sluice-keeper"

// keeperSocket is the descriptor that the keeper finds its socket at.
const keeperSocket = 3

// keeper is the process that holds the rules of a running sluice (package keep).
// Its goroutine is the program's first.
type keeper struct {
	conn      *keep.Conn
	nowhere   *os.File // os.DevNull
	log       zerolog.Logger
	pid       int        // of the sluice that started it
	cmd       *runCmd    // in effect
	diversion *diversion // nil: no rules of ours
	ifaces    []string   // by which that arrives; none: any but lo
	starving  *starving  // of what the rules divert
}

// isKeeper tells whether this process is one.
func isKeeper() bool { return os.Args[0] == keeperName }

// runKeeper does what it is asked to until the one that asks is gone. It listens
// to no signal: those that end a service or a terminal's program reach it too,
// and the rules go last.
func (cmd *runCmd) runKeeper(log zerolog.Logger) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGPIPE)
	conn, err := keep.Inherited(keeperSocket)
	if err != nil {
		return err
	}
	_ = os.WriteFile("/proc/self/comm", []byte(keeperName), 0) // what top shows; else "exe"
	nowhere, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	k := &keeper{conn: conn, nowhere: nowhere, log: log, pid: os.Getppid(), cmd: cmd, starving: newStarving()}
	holds, err := k.begin()
	if err != nil {
		return conn.Send(keep.Reply{Error: err.Error()})
	}
	if err := conn.Send(keep.Reply{Holds: holds}); err != nil {
		return k.orphaned()
	}
	for {
		request, err := conn.Request()
		if errors.Is(err, io.EOF) {
			return k.orphaned()
		}
		if err != nil {
			log.Error().Err(err).Msg("the keeper of the rules ends: it was asked for what it does not understand")
			return errors.Join(k.orphaned(), err)
		}
		if err := k.serve(request); err != nil {
			return k.orphaned()
		}
	}
}

// begin changes the account and confines the process.
func (k *keeper) begin() (holds []string, err error) {
	if k.cmd.User != "" {
		account, err := service.FindAccount(k.cmd.User)
		if err == nil {
			err = account.Become()
		}
		if err != nil {
			return nil, err
		}
	}
	return k.cmd.confine(k.needs(), zerolog.Nop()) // what does not hold, sluice run says
}

// serve returns an error where there is nobody to reply to.
func (k *keeper) serve(r keep.Request) error {
	var err error
	reply := keep.Reply{}
	switch r.Do {
	case keep.Arrivals:
		if k.diversion != nil {
			k.starving.look(time.Now(), r.Conns, r.Datagrams, k.ifaces, k.log)
		}
		return nil
	case keep.Divert:
		err = k.redivert(r.Sum)
		openMemory(k.log).settle(k.log)
	case keep.Open:
		if k.diversion != nil {
			err = k.diversion.open(k.cmd)
		}
	case keep.Leave:
		err = k.leave()
	case keep.Remove:
		err = k.remove()
	case keep.Look:
		reply.Rules, err = k.look()
	}
	if err != nil {
		reply.Error = err.Error()
	}
	return k.conn.Send(reply)
}

var errNotTheSame = errors.New("the configuration changed while it was read: reload again")

// redivert rereads the configuration and brings the rules in line with it:
// installs, changes or removes them. When it fails, they are as before.
func (k *keeper) redivert(sum string) error {
	ctx, err := parse(os.Args[1:], withVariables(), kong.Bind(k.cmd.finder))
	if err != nil {
		return err
	}
	next := runOf(ctx)
	if err := next.validate(); err != nil {
		return err
	}
	spec, own, err := next.rulesAndSum()
	if err != nil {
		return err
	}
	if own != sum {
		return errNotTheSame
	}
	switch {
	case !next.InstallRules:
		err = k.remove()
	case k.diversion == nil:
		k.diversion, err = divert(spec, k.pid, k.log)
	default:
		if err = k.diversion.installed.Replace(spec); err == nil {
			k.diversion.logUnmet(k.log)
			logNotices(spec, k.log)
		}
	}
	if err != nil {
		return err
	}
	k.cmd, k.ifaces = next, spec.Ingress()
	return logging.SetLevel(next.LogLevel)
}

// leave lets go of the rules.
func (k *keeper) leave() error {
	if k.diversion == nil {
		return nil
	}
	err := k.diversion.leave(k.log)
	if err == nil {
		k.diversion = nil
	}
	return err
}

// remove takes the rules away.
func (k *keeper) remove() error {
	if k.diversion == nil {
		return nil
	}
	gone := k.diversion
	k.diversion = nil
	return gone.close()
}

// orphaned goes on without the one that asked. Rules that fail closed stay: the
// keeper owns them, so that no flush opens the gateway, until the next start asks
// for them or a signal ends it. Meanwhile it lets go of the log, whose reader may
// wait for its end.
func (k *keeper) orphaned() error {
	if k.diversion == nil {
		return nil
	}
	if k.cmd.Rules.Fail != string(rules.Closed) {
		return k.remove()
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	k.log.Warn().Int("keeper", os.Getpid()).Msg("sluice is gone; its keeper holds the rules closed, until the next start or sluice rules remove")
	if err := unix.Dup3(int(k.nowhere.Fd()), int(os.Stderr.Fd()), 0); err != nil {
		return errors.Join(os.NewSyscallError("dup3", err), k.diversion.leave(k.log))
	}
	return k.diversion.hold(ctx)
}
