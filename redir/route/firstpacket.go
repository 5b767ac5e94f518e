package route

import (
	"errors"
	"fmt"
	"net/netip"

	"sluice/redir/prefix"
	"sluice/redir/ruleset"
)

// FirstPacket is conditions that a flow's first packet shows to be met or not,
// without the flow's name: what the kernel can judge. All hold, unless Invert.
type FirstPacket struct {
	Networks     Network // 0: any
	Inbounds     []string
	Source, Dest *prefix.Set   // nil: any; an empty set is met by nothing
	SourcePorts  ruleset.Ports // nil: any
	Ports        ruleset.Ports
	Invert       bool // met by flows that do not meet the rest
}

// Asks reports whether some condition is there.
func (p *FirstPacket) Asks() bool {
	return p.Networks != 0 || p.Inbounds != nil || p.Source != nil || p.Dest != nil || p.SourcePorts != nil || p.Ports != nil
}

// errNamed says why a first packet is not enough.
var errNamed = errors.New("asks for names, which the first packet does not show")

// FirstPacket is the conditions in that form, or why they have none: an error that
// names the key.
func (c *Conditions) FirstPacket(sets *Sets) (FirstPacket, error) {
	switch {
	case c.Mode != NotLogical:
		return FirstPacket{}, errors.New("is a logical rule: write its parts as rules of their own")
	case len(c.MACs) > 0:
		return FirstPacket{}, errors.New("source_mac_address: asks for what only sluice looks up")
	case len(c.Times) > 0:
		return FirstPacket{}, errors.New("time: asks for what only sluice looks up")
	}
	m, err := c.compile("", sets)
	if err != nil {
		return FirstPacket{}, err
	}
	if m.names != nil {
		return FirstPacket{}, fmt.Errorf("%s: %w", c.namesKey(), errNamed)
	}
	p := FirstPacket{Networks: m.networks, Inbounds: m.inbounds, Source: m.sources, Dest: m.prefixes, SourcePorts: m.sourcePorts, Ports: m.ports, Invert: m.invert}
	if m.sets == nil {
		return p, nil
	}
	var b prefix.Builder
	addRanges(&b, p.Dest)
	for i, set := range m.sets {
		for _, h := range set {
			if err := h.isDestOnly(); err != nil {
				return p, fmt.Errorf("rule_set %s: %w", c.Sets[i], err)
			}
			addRanges(&b, h.prefixes)
		}
	}
	p.Dest = b.Set()
	return p, nil
}

// namesKey is the first key that names stand in.
func (c *Conditions) namesKey() string {
	switch {
	case len(c.Domains) > 0:
		return "domain"
	case len(c.Suffixes) > 0:
		return "domain_suffix"
	}
	return "domain_keyword"
}

// isDestOnly finds conditions of a rule set other than on the destination's address.
func (m *matcher) isDestOnly() error {
	switch {
	case m.names != nil:
		return errNamed
	case !m.hasDest || m.mode != NotLogical || m.invert || m.networks != 0 || m.ports != nil || m.sources != nil || m.sourcePorts != nil:
		return errors.New("asks for more than the destination's address: write such conditions into the rule")
	}
	return nil
}

func addRanges(b *prefix.Builder, s *prefix.Set) {
	s.Ranges(func(low, high netip.Addr) bool { b.AddRange(low, high); return true })
}
