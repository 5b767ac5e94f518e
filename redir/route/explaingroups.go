package route

import (
	"fmt"
	"net/netip"
	"strings"

	"sluice/redir/domain"
	"sluice/redir/prefix"
	"sluice/redir/ruleset"
)

// groups are the facets of conditions and of what is merged into them: in of the
// rule set of a tag.
func (x *explainer) groups(m *matcher, c *Conditions, in *matcher, tag string) (all []facet) {
	f := x.flow
	both := func(own, set answer, key, value string) {
		switch {
		case max(own, set) == absent:
		case set == yes && own != yes:
			all = append(all, facet{yes, fmt.Sprintf("rule_set %s: %s %s", tag, key, value)})
		default:
			all = append(all, facetOf(key, max(own, set), value))
		}
	}
	opaque := in.mode != NotLogical || in.invert
	if opaque { // its answer was asked for as a whole
		all = append(all, facet{in.answer(f, x.surroundings), "rule_set " + tag})
		in = &matcher{}
	}
	if in.networks != 0 {
		all = append(all, facetOf("rule_set "+tag+": network", of(in.networks&f.Network != 0), f.Network.String()))
	}
	both(m.port(f), in.port(f), "port", portText(m.ports, f.Dest.Port()))
	both(m.sourcePort(f), in.sourcePort(f), "source_port", portText(m.sourcePorts, f.Client.Port()))
	key, value := addrText("source_", f.Client.Addr(), c.Sources, c.SourcePrivate, in.sources)
	both(m.source(f), in.source(f), key, value)
	key, value = x.dest(m, c, in, tag)
	both(m.dest(f), in.dest(f), key, value)
	return all
}

// portText is the port, and the range in which it is.
func portText(ranges ruleset.Ports, port uint16) string {
	for _, r := range ranges {
		if r.Low <= port && port <= r.High && r.Low < r.High {
			return fmt.Sprintf("%d (%d:%d)", port, r.Low, r.High)
		}
	}
	return fmt.Sprint(port)
}

// dest is the key of the destination's conditions that decides, and what of it is met.
func (x *explainer) dest(m *matcher, c *Conditions, in *matcher, tag string) (key, value string) {
	f := x.flow
	if m.prefixes.Contains(f.Dest.Addr()) || in.prefixes.Contains(f.Dest.Addr()) {
		return addrText("", f.Dest.Addr(), c.Prefixes, c.Private, in.prefixes)
	}
	if m.names.Match(f.Name) || in.names.Match(f.Name) {
		if key, of := c.named(f.Name); key != "" {
			return key, fmt.Sprintf("%s (%s)", of, f.Name)
		}
		return "domain", f.Name
	}
	var keys []string
	for _, k := range []struct {
		asked bool
		key   string
	}{
		{len(c.Domains) > 0, "domain"}, {len(c.Suffixes) > 0, "domain_suffix"}, {len(c.Keywords) > 0, "domain_keyword"},
		{len(c.Prefixes) > 0, "ip_cidr"}, {c.Private, "ip_is_private"}, {in.hasDest, "rule_set " + tag},
	} {
		if k.asked {
			keys = append(keys, k.key)
		}
	}
	return strings.Join(keys, ", "), x.destination()
}

// named is the key and the element that a name meets.
func (c *Conditions) named(name string) (key, element string) {
	for _, k := range []struct {
		key   string
		names []string
		add   func(*domain.Builder, string) error
	}{
		{"domain", c.Domains, (*domain.Builder).AddExact}, {"domain_suffix", c.Suffixes, (*domain.Builder).AddSuffix},
		{"domain_keyword", c.Keywords, (*domain.Builder).AddKeyword},
	} {
		for _, element := range k.names {
			var b domain.Builder
			if k.add(&b, element) == nil && b.Set().Match(name) {
				return k.key, element
			}
		}
	}
	return "", ""
}

// addrText is the key that an address meets, behind before, and the prefix in which it
// is: as it is written, or as the rule set's set has it.
func addrText(before string, addr netip.Addr, written []netip.Prefix, private bool, set *prefix.Set) (key, value string) {
	key = before + "ip_cidr"
	for _, p := range written {
		if p.Contains(addr) {
			return key, fmt.Sprintf("%v (%v)", p, addr)
		}
	}
	for _, p := range privatePrefixes() {
		if private && p.Contains(addr) {
			return before + "ip_is_private", fmt.Sprintf("%v (%v)", p, addr)
		}
	}
	if private && len(written) == 0 {
		key = before + "ip_is_private"
	}
	value = addr.String()
	for low, high := range set.Ranges {
		if low.Compare(addr) <= 0 && addr.Compare(high) <= 0 {
			value = fmt.Sprintf("%s (%v)", rangeText(low, high), addr)
			key = before + "ip_cidr"
		}
	}
	return key, value
}

// rangeText is a range as a prefix, where it is one.
func rangeText(low, high netip.Addr) string {
	for bits := range low.BitLen() + 1 {
		p := netip.PrefixFrom(low, bits)
		if p.Masked().Addr() == low && p.Contains(high) && (!high.Next().IsValid() || !p.Contains(high.Next())) {
			return p.String()
		}
	}
	return fmt.Sprintf("%v-%v", low, high)
}
