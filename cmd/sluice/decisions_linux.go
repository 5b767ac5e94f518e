package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rs/zerolog"

	"sluice/redir"
	"sluice/redir/inbound"
	"sluice/redir/outbound"
	"sluice/redir/prefix"
	"sluice/redir/route"
	"sluice/redir/rules"
	"sluice/redir/ruleset"
)

// decider makes what the rules decide of what the routes say.
type decider struct {
	options  redir.Options
	kind     inbound.Kind // of inbounds that the rules divert to
	outs     []outbound.Spec
	final    string // tag
	last     int    // index of the last rule whose flows the kernel forwards; Final: none
	forwards bool   // what no rule is for
}

// decisions are the rules of routes by which the kernel forwards flows, and those
// before them: up to the last one, since the rest is sluice's. They are made once,
// of rule sets as they are then.
func (cmd *runCmd) decisions(kind inbound.Kind) ([]rules.Decision, error) {
	if cmd.decided {
		return cmd.decision, nil
	}
	d := newDecider(cmd.options(zerolog.Nop()), kind)
	made, err := d.all()
	if err == nil {
		cmd.decision, cmd.decided = made, true
	}
	return made, err
}

func newDecider(o redir.Options, kind inbound.Kind) *decider {
	d := &decider{options: o, kind: kind, outs: outbound.Implied(o.Outbounds, &o.Route), last: route.Final}
	if len(d.outs) == 0 {
		return d
	}
	d.final = cmp.Or(o.Route.Final, d.outs[0].Tag)
	d.forwards = d.leadsOut(d.final)
	for i, rule := range o.Route.Rules {
		if d.leadsOut(cmp.Or(rule.Outbound, d.final)) {
			d.last = i
		}
	}
	if d.forwards {
		d.last = len(o.Route.Rules) - 1
	}
	return d
}

// leadsOut tells whether an outbound leaves flows to the kernel.
func (d *decider) leadsOut(tag string) bool {
	return slices.ContainsFunc(d.outs, func(o outbound.Spec) bool { return o.Tag == tag && o.Kind == outbound.Forward })
}

// some tells whether any flow is left to the kernel.
func (d *decider) some() bool { return d.forwards || d.last != route.Final }

func (d *decider) all() (all []rules.Decision, err error) {
	if !d.some() {
		return nil, nil
	}
	sets, err := route.ReadSets(d.options.Route.Sets, nil)
	if err != nil {
		return nil, err
	}
	for i := range d.last + 1 {
		rule := &d.options.Route.Rules[i]
		p, err := rule.FirstPacket(sets)
		if err == nil && rule.Port != 0 && d.leadsOut(cmp.Or(rule.Outbound, d.final)) {
			err = fmt.Errorf("override_port: the kernel forwards to the port that the client chose")
		}
		if err == nil {
			err = d.checkInbounds(&p, rule)
		}
		if err != nil {
			return nil, d.refusal(i, err)
		}
		all = append(all, d.decision(i, &p))
	}
	if d.forwards {
		all = append(all, rules.Decision{Forward: true, Name: "route.final"})
	}
	return all, nil
}

// refusal says why the kernel cannot decide, and what would help.
func (d *decider) refusal(i int, why error) error {
	r := &d.options.Route
	if tag := cmp.Or(r.Rules[i].Outbound, d.final); d.leadsOut(tag) {
		return fmt.Errorf("%s: %w; outbound %q leaves flows to the kernel, which knows the first packet alone: leave the condition out, or take a direct outbound", r.Name(i), why, tag)
	}
	next := "route.final"
	tag := d.final
	for j := i + 1; j <= d.last; j++ {
		if other := cmp.Or(r.Rules[j].Outbound, d.final); d.leadsOut(other) {
			next, tag = r.Name(j), other
			break
		}
	}
	if next == "route.final" {
		return fmt.Errorf("%s: %w; route.final leads to outbound %q, which leaves flows to the kernel, and this would have to be known first: take a direct outbound for the rest", r.Name(i), why, tag)
	}
	return fmt.Errorf("%s: %w; outbound %q of %s behind it leaves flows to the kernel, which knows the first packet alone: put that rule before this one, or take a direct outbound", r.Name(i), why, tag, next)
}

// checkInbounds finds a rule that leaves flows to the kernel which arrive at
// inbounds that the rules do not divert to.
func (d *decider) checkInbounds(p *route.FirstPacket, rule *route.Rule) error {
	if p.Inbounds == nil || !d.leadsOut(cmp.Or(rule.Outbound, d.final)) || p.Invert {
		return nil
	}
	for _, tag := range p.Inbounds {
		if len(d.inlets([]string{tag})) == 0 {
			return fmt.Errorf("inbound %s: the rules divert nothing to it, so that its flows are here already", tag)
		}
	}
	return nil
}

func (d *decider) decision(i int, p *route.FirstPacket) rules.Decision {
	r := &d.options.Route
	made := rules.Decision{
		Name: r.Name(i), Forward: d.leadsOut(cmp.Or(r.Rules[i].Outbound, d.final)), Invert: p.Invert,
		TCP: p.Networks&route.TCP != 0, UDP: p.Networks&route.UDP != 0,
		Sources: addrsOf(p.Source), Dests: addrsOf(p.Dest), SourcePorts: portsOf(p.SourcePorts), DestPorts: portsOf(p.Ports),
	}
	if p.Inbounds != nil {
		made.Inlets = d.inlets(p.Inbounds)
	}
	return made
}

// inlets are where the rules divert to for inbounds; not nil.
func (d *decider) inlets(tags []string) []rules.Inlet {
	all := []rules.Inlet{}
	for _, in := range d.options.Inbounds {
		if slices.Contains(tags, in.Tag) && in.Kind == d.kind && !isForeign(in) {
			all = append(all, rules.Inlet{Port: in.Listen.Port(), TCP: in.TCP, UDP: in.UDP})
		}
	}
	return all
}

func addrsOf(s *prefix.Set) *rules.Addrs {
	if s == nil {
		return nil
	}
	return rules.NewAddrs(s.Ranges)
}

func portsOf(ports ruleset.Ports) (all []rules.PortRange) {
	for _, r := range ports {
		all = append(all, rules.PortRange{Lo: r.Low, Hi: r.High})
	}
	return all
}

// validateRun is validate, and refuses to leave flows to the kernel without rules
// that do so: sluice's own, or those that rules install or the text of rules print
// put there, as far as that can be seen by who asks.
func (cmd *runCmd) validateRun() error {
	if err := cmd.validate(); err != nil || cmd.InstallRules {
		return err
	}
	o := cmd.options(zerolog.Nop())
	d := newDecider(o, inbound.TProxy)
	if !d.some() {
		return nil
	}
	if status, err := rules.ReadStatus(); err != nil || status.Decisions > 0 {
		return nil
	}
	tag := d.final
	if !d.forwards {
		tag = o.Route.Rules[d.last].Outbound
	}
	return fmt.Errorf("outbound %q: forward leaves flows to the kernel, by the rules that sluice installs: add --install-rules; or install them by hand (sluice rules install --config FILE), or make it a direct one", tag)
}
