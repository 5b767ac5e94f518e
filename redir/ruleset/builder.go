package ruleset

import (
	"fmt"
	"net/netip"
	"strings"

	"sluice/redir/domain"
	"sluice/redir/prefix"
)

// Builder gathers Conditions. The zero value is ready. One goroutine owns it; it
// keeps nothing of the texts that it is given.
type Builder struct {
	networks               Networks
	sources, dests         prefix.Builder
	names                  domain.Builder
	sourcePorts, destPorts []PortRange
}

// AddNetwork takes tcp or udp.
func (b *Builder) AddNetwork(text string) error {
	switch text {
	case "tcp":
		b.networks |= TCP
	case "udp":
		b.networks |= UDP
	default:
		return fmt.Errorf("%.20q: want tcp or udp", text)
	}
	return nil
}

// AddSource takes a prefix or an address of clients.
func (b *Builder) AddSource(text string) error {
	return addPrefix(&b.sources, text)
}

// AddDest takes a prefix or an address of destinations.
func (b *Builder) AddDest(text string) error {
	return addPrefix(&b.dests, text)
}

// AddName takes a name that stands for itself alone.
func (b *Builder) AddName(text string) error {
	return b.names.AddExact(text)
}

// AddSuffix takes what domain.Builder.AddSuffix takes.
func (b *Builder) AddSuffix(text string) error {
	return b.names.AddSuffix(text)
}

// AddKeyword takes a text that stands for each name in which it is.
func (b *Builder) AddKeyword(text string) error {
	return b.names.AddKeyword(text)
}

// AddSourcePorts takes ports of clients.
func (b *Builder) AddSourcePorts(r PortRange) { b.sourcePorts = append(b.sourcePorts, r) }

// AddDestPorts takes ports of destinations.
func (b *Builder) AddDestPorts(r PortRange) { b.destPorts = append(b.destPorts, r) }

// Conditions are what was added. The Builder is empty afterwards.
func (b *Builder) Conditions() Conditions {
	c := Conditions{Networks: b.networks, SourcePorts: PortsOf(b.sourcePorts), DestPorts: PortsOf(b.destPorts)}
	if s := b.sources.Set(); s.Len() > 0 {
		c.Sources = s
	}
	if s := b.dests.Set(); s.Len() > 0 {
		c.Dests = s
	}
	if s := b.names.Set(); s.Len() > 0 {
		c.Names = s
	}
	*b = Builder{}
	return c
}

// addPrefix takes 10.0.0.0/8, 2001:db8::/32 or an address.
func addPrefix(into *prefix.Builder, text string) error {
	addr, _, isPrefix := strings.Cut(text, "/")
	a, err := netip.ParseAddr(addr)
	switch {
	case err != nil:
		return fmt.Errorf("%.60q: want a prefix or an address, as 10.0.0.0/8, 2001:db8::/32 or 192.0.2.1", text)
	case a.Zone() != "":
		return fmt.Errorf("%.60q: an address with a zone is of one link alone; leave %%%s out", text, a.Zone())
	case !isPrefix:
		into.AddAddr(a)
		return nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return fmt.Errorf("%.60q: want a length from 0 to %d behind the slash", text, a.BitLen())
	}
	into.Add(p)
	return nil
}
