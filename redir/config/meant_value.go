package config

import (
	"encoding/json"
	"fmt"
	"strings"

	"sluice/redir/nearest"
	"sluice/redir/value"
)

// nearestOf is NearestOf of a value; empty where nobody would be told.
func (d *document) nearestOf(n node, choices []string) string {
	if d.full() {
		return ""
	}
	switch v := n.value.(type) {
	case string:
		return NearestOf(v, choices)
	case json.Number, bool:
		return NearestOf(fmt.Sprint(v), choices)
	}
	return ""
}

// NearestOf is what an error ends with about a text that is none of some choices: the
// one that was meant most likely, by its meaning or its letters, as `; the nearest is
// "warn"`. Empty: none is near.
func NearestOf(text string, choices []string) string {
	word := spelled(text)
	if len(word) == 0 || len(word) > longestWord {
		return ""
	}
	for _, c := range choices {
		if squashed(spelled(c)) == squashed(word) {
			return fmt.Sprintf("; write %q", c)
		}
	}
	meant := within(alikeValues[word], choices)
	if near, ok := nearest.Close(word, choices); ok && len(meant) == 0 && len(word) > 3 {
		meant = []string{near}
	}
	if len(meant) == 0 {
		return ""
	}
	return fmt.Sprintf("; the nearest is %q", meant[0])
}

// longestWord bounds in bytes what is looked for among words: the search costs its
// length for each of them.
const longestWord = 64

// xrayConditions are what Xray's conditions begin with, and what has the rest here.
var xrayConditions = []struct{ prefix, means string }{
	{"geosite:", "names by the list are a rule_set"}, {"geoip:", "networks by the list are a rule_set"}, {"ext:", "lists are a rule_set"},
	{"domain:", `"domain_suffix" has it, without "domain:"`}, {"full:", `"domain" has it, without "full:"`},
	{"keyword:", `"domain_keyword" has it, without "keyword:"`}, {"regexp:", "there are no patterns: see domain_suffix and domain_keyword"},
}

// elsewhereInRule is what an error about a condition ends with that Xray's rules would
// take. Empty: they would not either.
func elsewhereInRule(text string) string {
	for _, c := range xrayConditions {
		if strings.HasPrefix(text, c.prefix) {
			return "; " + c.means
		}
	}
	return ""
}

// orName is what an error about a tag ends with: which there are, where they are few.
func orName(tags []string) string {
	const few = 8
	if len(tags) > few {
		return ""
	}
	return ", or name " + value.OneOf(tags)
}
