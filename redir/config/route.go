package config

import (
	"fmt"
	"slices"

	"sluice/redir/nearest"
	"sluice/redir/outbound"
	"sluice/redir/route"
	"sluice/redir/ruleset"
)

// routes reads the objects of that name: what they declare first, since the rules of
// one may name what another declares.
func (j *joint) routes() {
	var readers []objectReader
	for i, d := range j.documents {
		if n, ok := j.tops[i].find("route"); ok {
			r := objectReader{document: d, node: n, path: "route"}
			if r.only(routeKeys, nil) {
				j.ruleSets(&r)
				readers = append(readers, r)
			}
		}
	}
	s := &j.file.Route
	for _, r := range readers {
		if n, ok := r.members.find("final"); ok {
			s.Final = r.text("final", "the tag of an outbound")
			r.knownOutbound("final", n, s.Final, j.file.Outbounds)
		}
		rules, ok := r.members.find("rules")
		nodes, isList := rules.value.([]node)
		if ok && !isList {
			r.fault("rules", rules, "want a list of objects, not %s", rules)
		}
		for i, n := range nodes {
			rr := ruleReader{objectReader: objectReader{document: r.document, node: n, path: fmt.Sprintf("route.rules[%d]", i)}, sets: s.Sets, outbounds: j.file.Outbounds}
			s.Rules = append(s.Rules, rr.rule())
		}
	}
}

// ruleSets reads what declares the rule sets.
func (j *joint) ruleSets(r *objectReader) {
	n, ok := r.members.find("rule_set")
	nodes, isList := n.value.([]node)
	if ok && !isList {
		r.fault("rule_set", n, "want a list of objects, not %s", n)
	}
	all := &j.file.Route.Sets
	for i, n := range nodes {
		sr := objectReader{document: r.document, node: n, path: fmt.Sprintf("%s[%d]", r.at("rule_set"), i)}
		set := sr.ruleSet()
		if k := slices.IndexFunc(*all, func(o route.SetSpec) bool { return o.Tag == set.Tag && o.Tag != "" }); k >= 0 {
			sr.errorf(n.offset, sr.path, "its tag %q is that of %s; give it another", set.Tag, j.setPlaces[k].from(r.document))
		}
		*all = append(*all, set)
		j.setPlaces = append(j.setPlaces, spot{r.document, n.offset, fmt.Sprintf("rule_set[%d]", i)})
	}
}

func (r *objectReader) ruleSet() (s route.SetSpec) {
	if !r.only(ruleSetKeys, map[string]string{"rules": "the rules of a set stand in a file of the format source, which path names"}) {
		return s
	}
	if n, ok := r.members.find("type"); ok && n.value != "local" {
		r.fault("type", n, `rule sets are files: want "local", not %s`, n)
		s.Tag = r.text("tag", "a name")
		return s
	}
	for _, must := range []struct {
		key, wanted string
		into        *string
	}{{"tag", "a name", &s.Tag}, {"path", "the path of a file", &s.Path}} {
		*must.into = r.text(must.key, must.wanted)
	}
	r.lacks(r.without("tag", "a name"), r.without("path", "the path of a file"))
	if s.Path == "" {
		return s
	}
	s.Path = r.beside(s.Path)
	format := r.text("format", "list or source")
	var err error
	if s.Format, err = ruleset.ParseFormat(format, s.Path); err != nil {
		key := "format"
		if format == "" {
			key = "path"
		}
		n, _ := r.members.find(key)
		r.fault(key, n, "%v", err)
	}
	return s
}

// knownOutbound finds fault with a tag that no outbound has.
func (r *objectReader) knownOutbound(key string, n node, tag string, outbounds []outbound.Spec) {
	known := slices.Clone(tagsOfFlags)
	for _, o := range outbounds {
		known = append(known, o.Tag)
	}
	if tag == "" || slices.Contains(known, tag) || r.full() {
		return
	}
	if near, ok := nearest.Close(tag, known); ok {
		r.fault(key, n, "there is no outbound %q; the nearest is %q", tag, near)
		return
	}
	declared := ""
	if kinds := within(append([]string{tag}, alikeValues[spelled(tag)]...), []string{"block", "forward"}); len(kinds) > 0 {
		declared = fmt.Sprintf(", as {\"type\": %q, \"tag\": %q}", kinds[0], tag)
	}
	r.fault(key, n, "there is no outbound %q: declare it in outbounds%s%s", tag, declared, orName(known))
}
