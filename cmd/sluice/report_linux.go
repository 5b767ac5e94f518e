package main

import (
	"fmt"
	"strings"

	"sluice/redir/inbound"
)

// statusTicks is how many of the process' ticks (starvingPeriod) lie between two
// looks at what the service manager shows: systemctl status is read by people.
const statusTicks = 10

// reporter tells of what changes by and by. It belongs to the process' goroutine.
type reporter struct {
	ticks  int
	status string // that was told last
	lost   uint64 // lines of the log that were told of
}

// tick is called once every starvingPeriod.
func (r *reporter) tick(p *process) {
	if lost := p.output.Lost(); lost != r.lost {
		r.lost = lost
		p.log.Warn().Uint64("log_lines_lost", lost).Msg("lines are missing here: whoever reads the log takes them too slowly")
	}
	p.ledgers.tell(p.log)
	if r.ticks++; r.ticks%statusTicks != 0 || !p.notify.HasManager() || !p.changing.TryLock() {
		return
	}
	status := p.status()
	p.changing.Unlock()
	if status != r.status {
		r.status = status
		p.notify.Status(status)
	}
}

// status is a line for the service manager. The caller holds changing, or nobody
// else changes anything yet.
func (p *process) status() string {
	stats := p.server.Stats()
	status := fmt.Sprintf("carrying traffic of %s: %s, %s", counted(uint64(len(p.config.Inbounds)), "inbound"),
		counted(stats.ConnsNow(), "connection"), counted(stats.FlowsNow(), "UDP session"))
	if p.refused != "" {
		status += "; reload refused: " + p.refused
	}
	return status
}

func counted(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// logReady is the line that says what was opened, within which bounds, and how
// this process and the keeper of the rules are confined.
func (p *process) logReady(holds, kept []string) {
	limits := p.server.Limits()
	line := p.log.Info().Str("version", strings.TrimPrefix(version(), "sluice ")).Stringer("engine", p.server.Engine()).
		Str("rules", p.diverting()).Int("reactors", p.server.Reactors()).Int("max_conns", limits.Conns).
		Int("udp_sessions", limits.Flows).Int("fd_limit", limits.FDs)
	for _, bound := range []struct {
		name string
		n    int
	}{{"client_conns", limits.ClientConns}, {"client_dials", limits.ClientDials}, {"client_sessions", limits.ClientFlows}} {
		if bound.n > 0 {
			line = line.Int(bound.name, bound.n)
		}
	}
	if limits.FlowsBound != "" {
		line = line.Str("udp_sessions_bound", limits.FlowsBound)
	}
	if len(limits.Memory) > 0 {
		line = line.Strs("memory_watched", limits.Memory)
	}
	listen := map[inbound.Kind][]string{}
	for _, in := range p.config.Inbounds {
		at := in.Listen.String()
		if in.Kind == inbound.Direct {
			at += "=" + in.Dest.String()
		}
		listen[in.Kind] = append(listen[in.Kind], at)
	}
	for _, kind := range inbound.Kinds() {
		if len(listen[kind]) > 0 {
			line = line.Strs(kind.String(), listen[kind])
		}
	}
	if len(p.cmd.files) > 0 {
		line = line.Strs("config", p.cmd.files)
	}
	line = line.Stringer("control", &p.window)
	if len(holds) > 0 {
		line = line.Str("confined", strings.Join(holds, ", "))
	}
	if len(kept) > 0 {
		line = line.Str("keeper_confined", strings.Join(kept, ", "))
	}
	line.Msg("ready")
}

// diverting says whose task the rules are.
func (p *process) diverting() string {
	if p.guard != nil && p.guard.hasRules() {
		return "installed"
	}
	return "none of its own"
}

// logStats logs the counters that are not zero.
func (p *process) logStats(message string) {
	stats := p.server.Settled()
	line := p.log.Info().Uint64("conns_now", stats.ConnsNow()).Uint64("udp_sessions_now", stats.FlowsNow())
	if down := p.server.Down(); len(down) > 0 {
		line = line.Strs("outbounds_down_now", down)
	}
	line.EmbedObject(stats).Msg(message)
}
