package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sluice/redir/inbound"
	"sluice/redir/rules"
	"sluice/redir/source"
)

// kind is that of inbounds which the rules divert to.
func (f RuleFlags) kind() inbound.Kind {
	if f.Via == string(rules.Redirect) {
		return inbound.Redirect
	}
	return inbound.TProxy
}

// spec is what the rules have to do for the inbounds and the routes.
func (cmd *runCmd) spec() (rules.Spec, error) {
	spec, err := cmd.diverts()
	if err == nil {
		spec.Decisions, err = cmd.decisions(cmd.Rules.kind())
	}
	return spec, err
}

// diverts is what the rule flags come to, for the inbounds: where the rules divert
// to, and what else of theirs they must let in.
func (cmd *runCmd) diverts() (rules.Spec, error) {
	kind := cmd.Rules.kind()
	spec := cmd.Rules.Spec(0, 0, cmd.Mark)
	for _, in := range cmd.inbounds() {
		if err := addInbound(&spec, in, kind); err != nil {
			return rules.Spec{}, fmt.Errorf("--install-rules: %w", err)
		}
	}
	spec.Sources = cmd.sources()
	if spec.TCPPort == 0 && spec.UDPPort == 0 && len(spec.Ways)+len(spec.Listeners)+len(spec.Sources.Addrs) == 0 && !spec.Sources.Clients {
		if !slices.ContainsFunc(cmd.inbounds(), func(in inbound.Spec) bool { return in.Kind != inbound.Direct }) {
			return rules.Spec{}, errors.New("--install-rules: forwards at addresses that the gateway has, and with its own source, need no rules: leave it out")
		}
		return rules.Spec{}, fmt.Errorf("--install-rules --via %s needs an inbound of that kind, as --%[1]s :12345", kind)
	}
	if cmd.Rules.Output && cmd.Mark == 0 {
		return rules.Spec{}, errNoMark
	}
	return spec, nil
}

// addInbound adds what the rules have to do for an inbound. Those of kind are
// where they divert to: by interface, or the first for each network.
func addInbound(spec *rules.Spec, in inbound.Spec, kind inbound.Kind) error {
	isRest := in.Kind == kind && in.Ifaces == "" && (in.TCP && spec.TCPPort == 0 || in.UDP && spec.UDPPort == 0)
	switch {
	case in.Ifaces != "" && in.Kind != kind:
		return fmt.Errorf("inbound %s: iface %s: --via %s diverts to inbounds of that kind alone: leave iface out", in.Tag, in.Ifaces, kind)
	case isForeign(in) && in.Ifaces != "":
		return fmt.Errorf("inbound %s: iface %s: what goes to %s is let in wherever it arrives: leave iface out, or listen at :%d", in.Tag, in.Ifaces, in.Listen.Addr(), in.Listen.Port())
	case isForeign(in):
		spec.Listeners = append(spec.Listeners, rules.Listener{Addr: in.Addrs()[0], TCP: in.TCP, UDP: in.UDP})
	case (isRest || in.Ifaces != "") && in.Listen.Addr() != netip.IPv6Unspecified():
		return fmt.Errorf("%s %s does not listen on every address of both families, where the rules divert to: use --%[1]s :%[3]d",
			in.Kind, in.Listen, in.Listen.Port())
	case in.Ifaces != "":
		spec.Ways = append(spec.Ways, rules.Way{Ifaces: strings.Split(in.Ifaces, ","), Port: in.Listen.Port(), TCP: in.TCP, UDP: in.UDP,
			Name: fmt.Sprintf("inbound %s: iface", in.Tag)})
	case isRest:
		if in.TCP && spec.TCPPort == 0 {
			spec.TCPPort = in.Listen.Port()
		}
		if in.UDP && spec.UDPPort == 0 {
			spec.UDPPort = in.Listen.Port()
		}
	}
	return nil
}

// isForeign tells whether an inbound listens at an address that the gateway does
// not have, so that nothing sent there arrives without rules.
func isForeign(in inbound.Spec) bool {
	return in.Kind != inbound.Redirect && in.IsSpecific() && !rules.IsLocal(in.Addrs()[0].Addr())
}

// sources are what the rules must know of the addresses that upstreams bear.
func (cmd *runCmd) sources() rules.Sources {
	var all []source.Source
	var port4, port6 uint16 // of the listeners for UDP replies: any inbound's take those of all, in the families in which it listens
	bears := false
	for _, o := range cmd.outbounds() {
		all = append(all, o.Source)
		bears = bears || o.Source.OfClients()
	}
	for _, in := range cmd.inbounds() {
		own := in.Source.Or(cmd.Source)
		all = append(all, own)
		if !in.UDP || !own.OfClients() && !bears {
			continue
		}
		for _, at := range in.ReturnAddrs() {
			port := &port4
			if at.Addr().Is6() {
				port = &port6
			}
			*port = cmp.Or(*port, at.Port())
		}
	}
	sources := sourcesOf(all)
	sources.UDPPort, sources.UDPPort6, sources.KernelReplies = port4, port6, cmd.SourceReplies == "kernel"
	return sources
}
