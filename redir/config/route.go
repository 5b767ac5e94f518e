package config

import (
	"fmt"
	"net/netip"
	"slices"

	"sluice/redir/domain"
	"sluice/redir/outbound"
	"sluice/redir/route"
	"sluice/redir/ruleset"
)

// route reads the object of that name.
func (d *document) route(n node, outbounds []outbound.Spec) (s route.Spec, err error) {
	r := objectReader{document: d, node: n, path: "route"}
	if err := r.only(routeKeys, nil); err != nil {
		return s, err
	}
	if s.Sets, err = r.ruleSets(); err != nil {
		return s, err
	}
	if s.Final, err = r.text("final", "the tag of an outbound"); err != nil {
		return s, err
	}
	if n, ok := r.members.find("final"); ok {
		if err := r.knownOutbound("final", n, s.Final, outbounds); err != nil {
			return s, err
		}
	}
	rules, ok := r.members.find("rules")
	if !ok {
		return s, nil
	}
	nodes, isList := rules.value.([]node)
	if !isList {
		return s, r.fault("rules", rules, "want a list of objects, not %s", rules)
	}
	for i, n := range nodes {
		rr := ruleReader{objectReader: objectReader{document: d, node: n, path: fmt.Sprintf("route.rules[%d]", i)}, sets: s.Sets, outbounds: outbounds}
		rule, err := rr.rule()
		if err != nil {
			return s, err
		}
		s.Rules = append(s.Rules, rule)
	}
	return s, nil
}

// ruleSets reads what declares the rule sets.
func (r *objectReader) ruleSets() (all []route.SetSpec, err error) {
	n, ok := r.members.find("rule_set")
	if !ok {
		return nil, nil
	}
	nodes, isList := n.value.([]node)
	if !isList {
		return nil, r.fault("rule_set", n, "want a list of objects, not %s", n)
	}
	for i, n := range nodes {
		sr := objectReader{document: r.document, node: n, path: fmt.Sprintf("%s[%d]", r.at("rule_set"), i)}
		set, err := sr.ruleSet()
		if err != nil {
			return nil, err
		}
		if j := slices.IndexFunc(all, func(o route.SetSpec) bool { return o.Tag == set.Tag }); j >= 0 {
			return nil, r.errorf(n.offset, sr.path, "its tag %q is that of rule_set[%d]; give it another", set.Tag, j)
		}
		all = append(all, set)
	}
	return all, nil
}

func (r *objectReader) ruleSet() (s route.SetSpec, err error) {
	if err := r.only(ruleSetKeys, map[string]string{"rules": "the rules of a set stand in a file of the format source, which path names"}); err != nil {
		return s, err
	}
	if n, ok := r.members.find("type"); ok && n.value != "local" {
		return s, r.fault("type", n, `rule sets are files: want "local", not %s`, n)
	}
	for _, must := range []struct {
		key, wanted string
		into        *string
	}{{"tag", "a name", &s.Tag}, {"path", "the path of a file", &s.Path}} {
		if *must.into, err = r.text(must.key, must.wanted); err != nil {
			return s, err
		}
		if *must.into == "" {
			return s, r.errorf(r.node.offset, r.path, "has no %q: want %s", must.key, must.wanted)
		}
	}
	s.Path = r.beside(s.Path)
	format, err := r.text("format", "list or source")
	if err != nil {
		return s, err
	}
	if s.Format, err = ruleset.ParseFormat(format, s.Path); err != nil {
		key := "format"
		if format == "" {
			key = "path"
		}
		n, _ := r.members.find(key)
		return s, r.fault(key, n, "%v", err)
	}
	return s, nil
}

// ruleReader reads one rule, or a part of a logical one.
type ruleReader struct {
	objectReader
	sets      []route.SetSpec
	outbounds []outbound.Spec
	depth     int // of the logical rules around it
}

// maxDepth bounds how deep logical rules stand in others, since reactors ask them on
// their stack.
const maxDepth = 8

func (r *ruleReader) rule() (rule route.Rule, err error) {
	if rule.Conditions, err = r.conditions(actionKeys); err != nil {
		return rule, err
	}
	if rule.Outbound, err = r.text("outbound", "the tag of an outbound"); err != nil {
		return rule, err
	}
	if n, ok := r.members.find("outbound"); ok {
		if err := r.knownOutbound("outbound", n, rule.Outbound, r.outbounds); err != nil {
			return rule, err
		}
	}
	if n, ok := r.members.find("override_port"); ok {
		if rule.Port, err = r.portOf("override_port", n); err != nil {
			return rule, err
		}
	}
	return rule, r.action(&rule)
}

// tagsOfFlags are those of outbounds that are there although the file does not say
// so: flags make them, or, where there are none, everything leaves by the first.
var tagsOfFlags = []string{"direct", "upstream"}

// knownOutbound finds fault with a tag that no outbound has.
func (r *objectReader) knownOutbound(key string, n node, tag string, outbounds []outbound.Spec) error {
	known := slices.Clone(tagsOfFlags)
	for _, o := range outbounds {
		known = append(known, o.Tag)
	}
	if slices.Contains(known, tag) {
		return nil
	}
	return r.fault(key, n, "there is no outbound %q; the nearest is %q", tag, nearest(tag, known))
}

// action reads what becomes of flows.
func (r *ruleReader) action(rule *route.Rule) error {
	n, ok := r.members.find("action")
	method, hasMethod := r.members.find("method")
	switch {
	case ok && n.value == "reject":
		return r.reject(rule)
	case n.value == "sniff":
		return r.fault("action", n, "names are found where a rule needs one: leave this rule out")
	case ok && n.value != "route":
		return r.fault("action", n, `want "route" or "reject", not %s`, n)
	case hasMethod:
		return r.fault("method", method, `only the action "reject" has one`)
	case rule.Outbound == "" && rule.Port == 0:
		return r.errorf(r.node.offset, r.path, `does not say what becomes of flows: want "outbound", "override_port" or "action": "reject"`)
	}
	return nil
}

func (r *ruleReader) reject(rule *route.Rule) error {
	for _, key := range []string{"outbound", "override_port"} {
		if n, ok := r.members.find(key); ok {
			return r.fault(key, n, `what is rejected goes nowhere: leave this out, or "action"`)
		}
	}
	method, err := r.choice("method", "default", blockDrop)
	rule.Outbound = route.Reset
	if method == blockDrop {
		rule.Outbound = route.Drop
	}
	return err
}

// conditions reads those of a rule, which may have further keys.
func (r *ruleReader) conditions(further []string) (c route.Conditions, err error) {
	logical := false
	if object, ok := r.node.value.(members); ok {
		n, _ := object.find("type")
		logical = n.value == "logical"
	}
	known, elsewhere := slices.Concat(ruleKeys, further), map[string]string{}
	because(elsewhere, "a rule within another has conditions only", actionKeys...)
	if logical {
		known = append(known, logicalKeys...)
		because(elsewhere, "a logical rule has no conditions of its own: put this into one of its rules", conditionKeys...)
	} else {
		known = append(known, conditionKeys...)
		because(elsewhere, `only rules with "type": "logical" have it`, logicalKeys...)
	}
	if err := r.only(known, elsewhere); err != nil {
		return c, err
	}
	if _, err = r.choice("type", "default", "logical"); err != nil {
		return c, err
	}
	if c.Invert, err = r.truth("invert"); err != nil {
		return c, err
	}
	if logical {
		return c, r.logical(&c)
	}
	return c, r.plain(&c)
}

// logical reads the parts of a logical rule.
func (r *ruleReader) logical(c *route.Conditions) error {
	if _, ok := r.members.find("mode"); !ok {
		return r.errorf(r.node.offset, r.path, `has no "mode": want "and" or "or"`)
	}
	mode, err := r.choice("mode", "and", "or")
	if err != nil {
		return err
	}
	rules, _ := r.members.find("rules")
	nodes, isList := rules.value.([]node)
	switch {
	case !isList || len(nodes) == 0:
		return r.errorf(r.node.offset, r.path, `has no "rules": want a list of rules`)
	case r.depth == maxDepth:
		return r.errorf(r.node.offset, r.path, "%d logical rules around it: want fewer", maxDepth)
	}
	c.Mode = route.Or
	if mode == "and" {
		c.Mode = route.And
	}
	for i, n := range nodes {
		part := ruleReader{sets: r.sets, depth: r.depth + 1,
			objectReader: objectReader{document: r.document, node: n, path: fmt.Sprintf("%s.rules[%d]", r.path, i)}}
		inner, err := part.conditions(nil)
		if err != nil {
			return err
		}
		c.Rules = append(c.Rules, inner)
	}
	return nil
}

// plain reads the conditions of a rule that is not logical.
func (r *ruleReader) plain(c *route.Conditions) (err error) {
	if c.Private, err = r.truth("ip_is_private"); err != nil {
		return err
	}
	if c.SourcePrivate, err = r.truth("source_ip_is_private"); err != nil {
		return err
	}
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
		if err := r.texts(k.key, k.wanted, k.take); err != nil {
			return err
		}
	}
	for _, k := range []struct {
		key, rangeKey string
		into          *[]ruleset.PortRange
	}{{"source_port", "source_port_range", &c.SourcePorts}, {"port", "port_range", &c.Ports}} {
		if err := r.list(k.key, func(n node, path string) error { return r.addPort(k.into, n, path) }); err != nil {
			return err
		}
		if err := r.texts(k.rangeKey, ranges, adder(k.into, ruleset.ParsePortRange)); err != nil {
			return err
		}
	}
	return nil
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
			return fmt.Errorf(`want "tcp" or "udp", not %q`, text)
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
	case len(tags) == 0:
		return "", fmt.Errorf("there is no rule set %q: declare it in route.rule_set", tag)
	}
	return "", fmt.Errorf("there is no rule set %q; the nearest is %q", tag, nearest(tag, tags))
}

// addPort takes a port.
func (r *ruleReader) addPort(into *[]ruleset.PortRange, n node, path string) error {
	at := objectReader{document: r.document}
	port, err := at.portOf(path, n)
	*into = append(*into, ruleset.PortRange{Low: port, High: port})
	return err
}
