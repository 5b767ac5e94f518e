package config

import (
	"fmt"
	"slices"

	"sluice/redir/nearest"
	"sluice/redir/outbound"
	"sluice/redir/route"
)

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
	return r.fault(key, n, "there is no outbound %q; the nearest is %q", tag, nearest.Word(tag, known))
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
	case n.value == "hijack-dns" || n.value == "resolve":
		return r.fault("action", n, "sluice answers no DNS, and the system resolves names: leave this rule out")
	case ok && n.value != "route":
		return r.fault("action", n, `want "route" or "reject", not %s%s`, n, nearestOf(n, []string{"route", "reject"}))
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
	if err := r.only(inRule, known, elsewhere); err != nil {
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
