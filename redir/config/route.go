package config

import (
	"fmt"
	"slices"

	"sluice/redir/outbound"
	"sluice/redir/route"
	"sluice/redir/ruleset"
)

// route reads the object of that name.
func (d *document) route(n node, outbounds []outbound.Spec) (s route.Spec, err error) {
	r := objectReader{document: d, node: n, path: "route"}
	if err := r.only(inRoute, routeKeys, nil); err != nil {
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
	if err := r.only(inRuleSet, ruleSetKeys, map[string]string{"rules": "the rules of a set stand in a file of the format source, which path names"}); err != nil {
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
