package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sluice/redir/domain"
	"sluice/redir/nearest"
	"sluice/redir/route"
	"sluice/redir/ruleset"
)

// plain reads the conditions of a rule that is not logical.
func (r *ruleReader) plain(c *route.Conditions) {
	c.Private = r.truth("ip_is_private")
	c.SourcePrivate = r.truth("source_ip_is_private")
	const network, name, ranges = `a network or an address, as "192.0.2.0/24" or "2001:db8::1"`, "a name", `ports as "1000:2000", ":3000" or "4000:"`
	for _, k := range []struct {
		key, wanted string
		take        func(text string) error
	}{
		{"inbound", "the tag of an inbound", adder(&c.Inbounds, asText)},
		{"network", `"tcp" or "udp"`, takeNetwork(&c.Networks)},
		{"source_ip_cidr", network, adder(&c.Sources, parsePrefix)},
		{"ip_cidr", network, adder(&c.Prefixes, parsePrefix)},
		{"domain", name, adder(&c.Domains, checked(new(domain.Builder).AddExact))},
		{"domain_suffix", name, adder(&c.Suffixes, checked(new(domain.Builder).AddSuffix))},
		{"domain_keyword", "a part of a name", adder(&c.Keywords, checked(new(domain.Builder).AddKeyword))},
		{"rule_set", "the tag of a rule set", adder(&c.Sets, r.knownSet)},
		{"source_mac_address", `a MAC address, as "02:00:5e:10:00:00"`, adder(&c.MACs, route.ParseMAC)},
		{"time", `a time, as "mon-fri 08:00-17:00"`, adder(&c.Times, route.ParseTime)},
	} {
		r.texts(k.key, k.wanted, k.take)
	}
	for _, k := range []struct {
		key, rangeKey string
		into          *[]ruleset.PortRange
	}{{"source_port", "source_port_range", &c.SourcePorts}, {"port", "port_range", &c.Ports}} {
		r.list(k.key, func(n node, path string) { r.addPort(k.into, n, path) })
		r.texts(k.rangeKey, ranges, adder(k.into, ruleset.ParsePortRange))
	}
}

// parsePrefix reads a network, or an address as one of its own.
func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if addr, ofAddr := netip.ParseAddr(text); ofAddr == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	if err != nil {
		return p, fmt.Errorf(`want a network or an address, as "192.0.2.0/24" or "2001:db8::1", not %q`, text)
	}
	return p.Masked(), nil
}

// takeNetwork is a take of texts.
func takeNetwork(into *route.Network) func(text string) error {
	return func(text string) error {
		switch text {
		case "tcp":
			*into |= route.TCP
		case "udp":
			*into |= route.UDP
		default:
			return fmt.Errorf(`want "tcp" or "udp", or a list of both, not %q`, text)
		}
		return nil
	}
}

// knownSet is the parse of a tag of a rule set.
func (r *ruleReader) knownSet(tag string) (string, error) {
	var tags []string
	for _, s := range r.sets {
		tags = append(tags, s.Tag)
	}
	switch {
	case slices.Contains(tags, tag):
		return tag, nil
	case len(tags) == 0 || r.full():
		return "", fmt.Errorf("there is no rule set %q: declare it in route.rule_set", tag)
	}
	if near, ok := nearest.Close(tag, tags); ok {
		return "", fmt.Errorf("there is no rule set %q; the nearest is %q", tag, near)
	}
	return "", fmt.Errorf("there is no rule set %q: declare it in route.rule_set%s", tag, orName(tags))
}

// addPort takes a port.
func (r *ruleReader) addPort(into *[]ruleset.PortRange, n node, path string) {
	at := objectReader{document: r.document}
	if text, ok := n.value.(string); ok && strings.Trim(text, "0123456789-:, ") == "" && strings.ContainsAny(text, "-:, ") {
		r.errorf(n.offset, path, "want a number from 1 to 65535, or a list of them, not %s: %s", n, `a range is a port_range, as "1000:2000"`)
		return
	}
	port := at.portOf(path, n)
	*into = append(*into, ruleset.PortRange{Low: port, High: port})
}
