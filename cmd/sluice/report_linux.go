package main

import (
	"fmt"
	"strings"

	"sluice/redir/inbound"
)

// status is a line for the service manager.
func (p *process) status() string {
	return fmt.Sprintf("carrying traffic of %d inbounds", len(p.config.Inbounds))
}

// logReady is the line that says what was opened, within which bounds, and how
// this process and the keeper of the rules are confined.
func (p *process) logReady(holds, kept []string) {
	limits := p.server.Limits()
	line := p.log.Info().Int("reactors", p.server.Reactors()).Int("max_conns", limits.Conns).
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
	line = line.Stringer("control", &p.window)
	if len(holds) > 0 {
		line = line.Str("confined", strings.Join(holds, ", "))
	}
	if len(kept) > 0 {
		line = line.Str("keeper_confined", strings.Join(kept, ", "))
	}
	line.Msg("ready")
}

// logStats logs the counters that are not zero.
func (p *process) logStats(message string) {
	stats := p.server.Stats()
	line := p.log.Info().Uint64("conns_now", stats.ConnsNow()).Uint64("udp_sessions_now", stats.FlowsNow())
	if down := p.server.Down(); len(down) > 0 {
		line = line.Strs("outbounds_down_now", down)
	}
	line.EmbedObject(stats).Msg(message)
}
