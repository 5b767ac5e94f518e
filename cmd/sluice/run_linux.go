package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"sluice/redir"
	"sluice/splice"
)

// runCmd is `sluice run`.
type runCmd struct {
	Redirect      []listenAddr  `group:"listen" placeholder:"ADDR" help:"Listen for TCP from REDIRECT (repeatable)."`
	TProxy        []listenAddr  `name:"tproxy" group:"listen" placeholder:"ADDR" help:"Listen for TCP and UDP from TPROXY (repeatable). ADDR is :12345 for both families, 10.0.0.1:12345, [fd00::1]:12345."`
	TProxyNetwork []string      `name:"tproxy-network" group:"listen" default:"tcp,udp" enum:"tcp,udp" help:"Which of the two --tproxy listens for."`
	UDPTimeout    time.Duration `name:"udp-timeout" group:"udp" default:"5m" help:"Idle time after which a UDP session ends."`
	UDPSessions   int           `name:"udp-sessions" group:"udp" default:"65536" help:"Upper bound of UDP sessions at once; less where the fd limit is lower."`

	ConnectTimeout   time.Duration `group:"tcp" default:"10s" help:"How long an upstream may take to answer."`
	IdleTimeout      time.Duration `group:"tcp" default:"2h4m" help:"Time without traffic after which a connection is reset."`
	HalfCloseTimeout time.Duration `group:"tcp" default:"5m" help:"The same, once one side has ended."`
	MaxConns         int           `group:"tcp" default:"0" help:"TCP connections at once; 0: as many as the fd limit carries."`

	Mark       uint32 `group:"admission" default:"2" help:"SO_MARK of every upstream socket, which the diverting rules skip; 0 turns it off."`
	AllowLocal bool   `group:"admission" help:"Permit destinations that are the gateway's own addresses."`

	Reactors   int    `group:"path" default:"0" help:"Event loops; 0: one per CPU that the process may use."`
	Relay      string `group:"path" default:"auto" enum:"auto,copy,splice" help:"How TCP bytes move: copy, splice, or auto: splice what proves to be bulk."`
	PipeSize   size   `group:"path" default:"256KiB" help:"Capacity of a splice pipe."`
	BufferSize size   `group:"path" default:"64KiB" help:"Size of a copy buffer."`
	Batch      int    `group:"path" default:"64" help:"Datagrams per recvmmsg and sendmmsg."`

	DrainTimeout time.Duration `group:"process" default:"10s" help:"How long running connections may go on after SIGTERM."`
	LogLevel     string        `group:"process" default:"info" enum:"trace,debug,info,warn,error" help:"Least level that is logged: trace, debug, info, warn, error."`
	LogFormat    string        `group:"process" default:"auto" enum:"auto,console,json" help:"console, json, or auto: console on a terminal."`
}

// Run carries traffic until SIGTERM or SIGINT.
func (cmd *runCmd) Run() error {
	log, err := newLogger(cmd.LogFormat, cmd.LogLevel)
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1)
	server, err := redir.New(cmd.options(log))
	if err != nil {
		return err
	}
	server.Start()
	cmd.logReady(log, server)
	waitForStop(signals, log, server)
	drain(signals, log, server, cmd.DrainTimeout)
	err = server.Close()
	logStats(log, server, "stopped")
	return err
}

func (cmd *runCmd) options(log zerolog.Logger) redir.Options {
	o := redir.Options{
		UDPTimeout: cmd.UDPTimeout, UDPSessions: cmd.UDPSessions,
		ConnectTimeout: cmd.ConnectTimeout, IdleTimeout: cmd.IdleTimeout,
		HalfCloseTimeout: cmd.HalfCloseTimeout, DrainTimeout: cmd.DrainTimeout, MaxConns: cmd.MaxConns,
		Mark: cmd.Mark, AllowLocal: cmd.AllowLocal,
		Reactors: cmd.Reactors, Relay: relayModes[cmd.Relay],
		PipeSize: int(cmd.PipeSize), BufferSize: int(cmd.BufferSize), Batch: cmd.Batch,
		Log: log,
	}
	for _, a := range cmd.Redirect {
		o.Inbounds = append(o.Inbounds, redir.Inbound{Kind: redir.Redirect, Tag: "redirect " + a.String(), Listen: a.AddrPort, TCP: true})
	}
	for _, a := range cmd.TProxy {
		o.Inbounds = append(o.Inbounds, redir.Inbound{Kind: redir.TProxy, Tag: "tproxy " + a.String(), Listen: a.AddrPort,
			TCP: slices.Contains(cmd.TProxyNetwork, "tcp"), UDP: slices.Contains(cmd.TProxyNetwork, "udp")})
	}
	return o
}

var relayModes = map[string]splice.Mode{"auto": splice.Auto, "copy": splice.Copy, "splice": splice.Splice}

func (cmd *runCmd) logReady(log zerolog.Logger, server *redir.Server) {
	conns, flows, fds := server.Limits()
	line := log.Info().Int("reactors", server.Reactors()).Int("max_conns", conns).
		Int("udp_sessions", flows).Int("fd_limit", fds)
	if len(cmd.Redirect) > 0 {
		line = line.Strs("redirect", texts(cmd.Redirect))
	}
	if len(cmd.TProxy) > 0 {
		line = line.Strs("tproxy", texts(cmd.TProxy))
	}
	line.Msg("ready")
}

func texts(addrs []listenAddr) []string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out
}

// waitForStop returns at the first signal that ends the program.
func waitForStop(signals <-chan os.Signal, log zerolog.Logger, server *redir.Server) {
	for s := range signals {
		if s != syscall.SIGUSR1 {
			log.Info().Stringer("signal", s).Msg("draining")
			return
		}
		logStats(log, server, "counters")
	}
}

// drain lets running connections finish, until the time is over or a second
// signal comes.
func drain(signals <-chan os.Signal, log zerolog.Logger, server *redir.Server, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-signals:
				if s != syscall.SIGUSR1 {
					cancel()
					return
				}
				logStats(log, server, "counters")
			}
		}
	}()
	server.Drain(ctx)
}

func logStats(log zerolog.Logger, server *redir.Server, message string) {
	stats := server.Stats()
	log.Info().Uint64("conns_now", stats.ConnsNow()).Uint64("udp_sessions_now", stats.FlowsNow()).
		EmbedObject(stats).Msg(message)
}
