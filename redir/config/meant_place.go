package config

import (
	"fmt"
	"slices"
	"strings"

	"sluice/redir/outbound"
	"sluice/redir/value"
)

// place is a kind of object in a file, by how a hint says that a key stands there.
type place string

// The places, but for the objects of settings: in "rules".
const (
	atTop      place = "at the top of the file"
	inInbound  place = "in an inbound"
	inOutbound place = "in an outbound"
	inRoute    place = `in "route"`
	inRule     place = `in a rule of "route"`
	inRuleSet  place = "in a rule set"
)

// inObject is the place of settings in an object; "" is the file's own.
func inObject(name string) place {
	if name == "" {
		return atTop
	}
	return place(fmt.Sprintf("in %q", name))
}

// placeOf is the place of an object at a path that has some keys.
func placeOf(path string, known []string) place {
	list, _, _ := strings.Cut(path, "[")
	switch {
	case list == "inbounds" || path == "" && slices.Contains(known, "listen_port"): // or one alone
		return inInbound
	case list == "outbounds":
		return inOutbound
	case path == "route":
		return inRoute
	case list == "route.rules":
		return inRule
	case list == "route.rule_set":
		return inRuleSet
	}
	return inObject(path)
}

// hasSettings tells whether settings stand there, of which there are too many to name.
func (p place) hasSettings() bool {
	return !slices.Contains([]place{inInbound, inOutbound, inRoute, inRule, inRuleSet}, p)
}

// from is p as it is told where a key is not known that stands at other.
func (p place) from(other place) string {
	if p == other {
		return string(p) + " of another type"
	}
	return string(p)
}

// placed is a key and where it stands.
type placed struct {
	key string
	at  place
}

// everything is each key that a file may have, and where, the most common first.
func (d *document) everything() []placed {
	var all []placed
	add := func(at place, keys ...string) {
		for _, key := range keys {
			if p := (placed{key, at}); !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	add(atTop, "inbounds", "outbounds", "route")
	for _, k := range d.keys {
		add(inObject(k.Object), k.Name)
		if k.Object != "" {
			add(atTop, k.Object)
		}
	}
	add(inInbound, inboundKeys...)
	add(inOutbound, "type", "tag")
	for _, kind := range outbound.Kinds() {
		add(inOutbound, outboundKeys(kind)...)
	}
	add(inRoute, routeKeys...)
	add(inRule, slices.Concat(conditionKeys, ruleKeys, actionKeys, logicalKeys)...)
	add(inRuleSet, ruleSetKeys...)
	return all
}

// mostPlaces bounds how many places a hint names: more are no hint.
const mostPlaces = 3

// elsewhere says where else a word is known than at a place that knows some keys, by
// itself or by what sluice calls it; empty: nowhere.
func elsewhere(word string, all []placed, at place, known []string) string {
	meanings := append([]string{word}, alike[word]...)
	var same, other []string
	for _, meaning := range meanings {
		for _, p := range all {
			switch {
			case p.key != meaning || slices.Contains(known, meaning) || meaning == "type" || meaning == "tag":
			case meaning == word:
				same = append(same, p.at.from(at))
				fallthrough
			default:
				other = append(other, fmt.Sprintf("%q %s", p.key, p.at.from(at)))
			}
		}
	}
	switch {
	case len(same) == len(other) && len(same) > 0:
		return "it belongs " + value.Or(same[:min(mostPlaces, len(same))])
	case len(other) > 0:
		return "sluice has " + value.Or(other[:min(mostPlaces, len(other))])
	}
	return ""
}
