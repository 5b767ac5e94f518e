package route

import (
	"fmt"
	"net/netip"
	"slices"

	"sluice/redir/domain"
	"sluice/redir/prefix"
	"sluice/redir/ruleset"
)

// compile makes conditions ready; path names them in errors.
func (c *Conditions) compile(path string, sets *Sets) (m matcher, err error) {
	if c.Mode != NotLogical {
		return c.compileLogical(path, sets)
	}
	m = matcher{
		ports: ruleset.PortsOf(slices.Clone(c.Ports)), sourcePorts: ruleset.PortsOf(slices.Clone(c.SourcePorts)),
		inbounds: c.Inbounds, macs: c.MACs, week: weekOf(c.Times), invert: c.Invert,
	}
	if c.Networks != TCP|UDP {
		m.networks = c.Networks
	}
	if len(c.Domains)+len(c.Suffixes)+len(c.Keywords) > 0 {
		if m.names, err = namesOf(path, c); err != nil {
			return m, err
		}
	}
	m.prefixes = prefixesOf(c.Prefixes, c.Private)
	m.hasDest = m.prefixes != nil || m.names != nil
	m.sources = prefixesOf(c.Sources, c.SourcePrivate)
	for i, tag := range c.Sets {
		set, ok := sets.find(tag)
		if !ok {
			return m, fmt.Errorf("%s.rule_set[%d]: there is no rule set %q: name it in route.rule_set", path, i, tag)
		}
		m.sets = append(m.sets, set.rules)
	}
	return m, nil
}

func (c *Conditions) compileLogical(path string, sets *Sets) (matcher, error) {
	m := matcher{mode: c.Mode, invert: c.Invert}
	for i := range c.Rules {
		rule, err := c.Rules[i].compile(fmt.Sprintf("%s.rules[%d]", path, i), sets)
		if err != nil {
			return m, err
		}
		m.rules = append(m.rules, rule)
	}
	return m, nil
}

// namesOf are the names of conditions.
func namesOf(path string, c *Conditions) (*domain.Set, error) {
	var b domain.Builder
	for _, kind := range []struct {
		key   string
		names []string
		add   func(string) error
	}{{"domain", c.Domains, b.AddExact}, {"domain_suffix", c.Suffixes, b.AddSuffix}, {"domain_keyword", c.Keywords, b.AddKeyword}} {
		for i, name := range kind.names {
			if err := kind.add(name); err != nil {
				return nil, fmt.Errorf("%s.%s[%d]: %w", path, kind.key, i, err)
			}
		}
	}
	return b.Set(), nil
}

// prefixesOf is the set of prefixes and, if asked for, of private ones; nil: there
// are none.
func prefixesOf(prefixes []netip.Prefix, private bool) *prefix.Set {
	if len(prefixes) == 0 && !private {
		return nil
	}
	var b prefix.Builder
	for _, p := range prefixes {
		b.Add(p)
	}
	if private {
		for _, p := range privatePrefixes() {
			b.Add(p)
		}
	}
	return b.Set()
}

// privatePrefixes are those of ip_is_private: private networks, loopback, links,
// and groups.
func privatePrefixes() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
		netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/4"),
		netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("ff00::/8"),
	}
}

// matcherOf makes a rule of a rule set ready.
func matcherOf(r *ruleset.Rule) matcher {
	m := matcher{
		prefixes: r.Dests, names: r.Names, hasDest: r.Dests != nil || r.Names != nil,
		ports: r.DestPorts, sources: r.Sources, sourcePorts: r.SourcePorts, invert: r.Invert,
	}
	if r.Networks != ruleset.TCP|ruleset.UDP {
		m.networks = networkOf(r.Networks)
	}
	for i := range r.Rules {
		m.rules = append(m.rules, matcherOf(&r.Rules[i]))
	}
	switch r.Mode {
	case ruleset.And:
		m.mode = And
	case ruleset.Or:
		m.mode = Or
	}
	return m
}

func networkOf(n ruleset.Networks) (network Network) {
	if n&ruleset.TCP != 0 {
		network |= TCP
	}
	if n&ruleset.UDP != 0 {
		network |= UDP
	}
	return network
}
