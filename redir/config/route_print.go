package config

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"sluice/redir/route"
	"sluice/redir/ruleset"
)

// printRoute writes the object "route", where there is something to say.
func printRoute(b *bytes.Buffer, s *route.Spec) {
	var parts []string
	list := func(key string, objects []string) {
		if len(objects) > 0 {
			parts = append(parts, fmt.Sprintf("%q: [\n      %s\n    ]", key, strings.Join(objects, ",\n      ")))
		}
	}
	list("rules", ruleTexts(s))
	list("rule_set", setTexts(s))
	if s.Final != "" {
		parts = append(parts, `"final": `+quote(s.Final))
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, ",\n  \"route\": {\n    %s\n  }", strings.Join(parts, ",\n    "))
	}
}

func ruleTexts(s *route.Spec) (all []string) {
	for i := range s.Rules {
		all = append(all, ruleJSON(&s.Rules[i]))
	}
	return all
}

func setTexts(s *route.Spec) (all []string) {
	for _, set := range s.Sets {
		all = append(all, fmt.Sprintf(`{"type": "local", "tag": %s, "format": "%s", "path": %s}`, quote(set.Tag), set.Format, quote(set.Path)))
	}
	return all
}

// fields are what an object has.
type fields []string

func (f *fields) add(key, value string) { *f = append(*f, quote(key)+": "+value) }

// texts adds a list, unless it is empty.
func (f *fields) texts(key string, values []string) {
	var quoted []string
	for _, v := range values {
		quoted = append(quoted, quote(v))
	}
	if len(quoted) > 0 {
		f.add(key, "["+strings.Join(quoted, ", ")+"]")
	}
}

func (f *fields) truth(key string, value bool) {
	if value {
		f.add(key, "true")
	}
}

// ports adds the ranges that are one port, and the others.
func (f *fields) ports(ranges []ruleset.PortRange, key, rangeKey string) {
	var single, others []string
	for _, r := range ranges {
		if r.Low == r.High && r.Low != 0 {
			single = append(single, fmt.Sprint(r.Low))
		} else {
			others = append(others, fmt.Sprintf("%d:%d", r.Low, r.High))
		}
	}
	if len(single) > 0 {
		f.add(key, "["+strings.Join(single, ", ")+"]")
	}
	f.texts(rangeKey, others)
}

func (f fields) object() string { return "{" + strings.Join(f, ", ") + "}" }

func ruleJSON(r *route.Rule) string {
	f := conditionFields(&r.Conditions)
	switch r.Outbound {
	case "":
	case route.Reset:
		f.add("action", `"reject"`)
	case route.Drop:
		f.add("action", `"reject", "method": "drop"`)
	default:
		f.add("outbound", quote(r.Outbound))
	}
	if r.Port != 0 {
		f.add("override_port", fmt.Sprint(r.Port))
	}
	return f.object()
}

func conditionFields(c *route.Conditions) (f fields) {
	if c.Mode != route.NotLogical {
		var rules []string
		for i := range c.Rules {
			rules = append(rules, conditionFields(&c.Rules[i]).object())
		}
		f.add("type", `"logical"`)
		f.add("mode", quote(c.Mode.String()))
		f.add("rules", "["+strings.Join(rules, ", ")+"]")
		f.truth("invert", c.Invert)
		return f
	}
	f.texts("inbound", c.Inbounds)
	f.texts("network", networkTexts(c.Networks))
	f.texts("source_ip_cidr", textsOf(c.Sources))
	f.truth("source_ip_is_private", c.SourcePrivate)
	f.ports(c.SourcePorts, "source_port", "source_port_range")
	f.texts("ip_cidr", textsOf(c.Prefixes))
	f.truth("ip_is_private", c.Private)
	f.texts("domain", c.Domains)
	f.texts("domain_suffix", c.Suffixes)
	f.texts("domain_keyword", c.Keywords)
	f.texts("rule_set", c.Sets)
	f.ports(c.Ports, "port", "port_range")
	f.texts("source_mac_address", textsOf(c.MACs))
	f.texts("time", textsOf(c.Times))
	f.truth("invert", c.Invert)
	return f
}

func networkTexts(n route.Network) (texts []string) {
	for _, one := range []route.Network{route.TCP, route.UDP} {
		if n&one != 0 {
			texts = append(texts, one.String())
		}
	}
	return texts
}

func textsOf[T fmt.Stringer](values []T) (texts []string) {
	for _, v := range values {
		texts = append(texts, v.String())
	}
	return texts
}

// routeChanges says what is different in next, in a phrase for each part.
func routeChanges(before, next *route.Spec) (phrases []string) {
	for _, part := range []struct {
		name          string
		before, after []string
	}{{"route.rules", ruleTexts(before), ruleTexts(next)}, {"route.rule_set", setTexts(before), setTexts(next)}} {
		gone, come := lacking(part.before, part.after), lacking(part.after, part.before)
		switch {
		case reflect.DeepEqual(part.before, part.after):
		case gone+come == 0:
			phrases = append(phrases, part.name+" in another order")
		default:
			phrases = append(phrases, fmt.Sprintf("%s: %d gone, %d new", part.name, gone, come))
		}
	}
	if before.Final != next.Final {
		phrases = append(phrases, fmt.Sprintf("route.final %s -> %s", orNone(before.Final), orNone(next.Final)))
	}
	return phrases
}

func orNone(tag string) string {
	if tag == "" {
		return "none"
	}
	return tag
}

// lacking is how many of texts are not in others, where each counts once.
func lacking(texts, others []string) (n int) {
	others = slices.Clone(others)
	for _, t := range texts {
		if i := slices.Index(others, t); i >= 0 {
			others = slices.Delete(others, i, i+1)
		} else {
			n++
		}
	}
	return n
}
