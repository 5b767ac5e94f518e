package config

import (
	"fmt"
	"slices"

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

func (r *ruleReader) rule() (rule route.Rule) {
	var ok bool
	if rule.Conditions, ok = r.conditions(actionKeys); !ok {
		return rule
	}
	rule.Outbound = r.text("outbound", "the tag of an outbound")
	if n, ok := r.members.find("outbound"); ok {
		r.knownOutbound("outbound", n, rule.Outbound, r.outbounds)
	}
	if n, ok := r.members.find("override_port"); ok {
		rule.Port = r.portOf("override_port", n)
	}
	r.action(&rule)
	return rule
}

// tagsOfFlags are those of outbounds that are there although the file does not say
// so: the first is implied (outbound.Implied), the other a flag's.
var tagsOfFlags = []string{"direct", "upstream"}

// action reads what becomes of flows.
func (r *ruleReader) action(rule *route.Rule) {
	n, ok := r.members.find("action")
	method, hasMethod := r.members.find("method")
	_, hasOutbound := r.members.find("outbound")
	_, hasPort := r.members.find("override_port")
	switch {
	case ok && n.value == "reject":
		r.reject(rule)
	case n.value == "sniff":
		r.fault("action", n, "names are found where a rule needs one: leave this rule out")
	case n.value == "hijack-dns" || n.value == "resolve":
		r.fault("action", n, "sluice answers no DNS, and the system resolves names: leave this rule out")
	case ok && n.value != "route":
		r.fault("action", n, `want "route" or "reject", not %s%s`, n, r.nearestOf(n, []string{"route", "reject"}))
	case hasMethod:
		r.fault("method", method, `only the action "reject" has one`)
	case !hasOutbound && !hasPort:
		r.lacks(`does not say what becomes of flows: want "outbound", "override_port" or "action": "reject"`)
	}
}

func (r *ruleReader) reject(rule *route.Rule) {
	for _, key := range []string{"outbound", "override_port"} {
		if n, ok := r.members.find(key); ok {
			r.fault(key, n, `what is rejected goes nowhere: leave this out, or "action"`)
		}
	}
	rule.Outbound = route.Reset
	if r.choice("method", "default", blockDrop) == blockDrop {
		rule.Outbound = route.Drop
	}
}

// conditions reads those of a rule, which may have further keys; not ok where it is no
// object.
func (r *ruleReader) conditions(further []string) (c route.Conditions, ok bool) {
	logical := false
	if object, isObject := r.node.value.(members); isObject {
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
	if !r.only(known, elsewhere) {
		return c, false
	}
	r.choice("type", "default", "logical")
	c.Invert = r.truth("invert")
	if logical {
		r.logical(&c)
	} else {
		r.plain(&c)
	}
	return c, true
}

// logical reads the parts of a logical rule.
func (r *ruleReader) logical(c *route.Conditions) {
	c.Mode = route.Or
	if r.choice("mode", "and", "or") == "and" {
		c.Mode = route.And
	}
	rules, _ := r.members.find("rules")
	nodes, isList := rules.value.([]node)
	noRules := ""
	if !isList || len(nodes) == 0 {
		noRules = `has no "rules": want a list of rules`
	}
	r.lacks(r.without("mode", `"and" or "or"`), noRules)
	switch {
	case noRules != "":
		return
	case r.depth == maxDepth:
		r.errorf(r.node.offset, r.path, "%d logical rules around it: want fewer", maxDepth)
		return
	}
	for i, n := range nodes {
		part := ruleReader{sets: r.sets, depth: r.depth + 1,
			objectReader: objectReader{document: r.document, node: n, path: fmt.Sprintf("%s.rules[%d]", r.path, i)}}
		inner, _ := part.conditions(nil)
		c.Rules = append(c.Rules, inner)
	}
}
