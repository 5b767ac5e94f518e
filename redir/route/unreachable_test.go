package route

import (
	"reflect"
	"testing"

	"sluice/redir/ruleset"
)

func TestUnreachable(t *testing.T) {
	rule := func(c Conditions) Rule { return Rule{Conditions: c, Outbound: "b"} }
	ports := func(low, high uint16) []ruleset.PortRange { return []ruleset.PortRange{{Low: low, High: high}} }
	empty, _ := ParseTime("08:00-08:00")
	for name, c := range map[string]struct {
		rules []Rule
		want  []string
	}{
		"apart": {[]Rule{rule(Conditions{Ports: port(80)}), rule(Conditions{Ports: port(443)}), rule(Conditions{})}, nil},
		"behind one that takes everything": {[]Rule{rule(Conditions{}), rule(Conditions{Ports: port(80)}), {Outbound: "c"}},
			[]string{"route.rules[1] can never match: route.rules[0] takes everything", "route.rules[2] can never match: route.rules[0] takes everything"}},
		"a flag that takes everything": {[]Rule{{Outbound: "a", From: "--direct 0.0.0.0/0", Conditions: Conditions{Prefixes: prefixes("0.0.0.0/0")}}, rule(Conditions{Prefixes: prefixes("192.0.2.0/24")})},
			[]string{"route.rules[0] can never match: --direct 0.0.0.0/0 takes what it would"}},
		"prefixes within prefixes": {[]Rule{rule(Conditions{Prefixes: prefixes("10.0.0.0/8", "192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32")}), rule(Conditions{Prefixes: prefixes("10.1.0.0/16", "192.0.2.0/24", "2001:db8:1::/48")})},
			[]string{"route.rules[1] can never match: route.rules[0] takes what it would"}},
		"one prefix more":           {[]Rule{rule(Conditions{Prefixes: prefixes("10.0.0.0/8")}), rule(Conditions{Prefixes: prefixes("10.1.0.0/16", "192.0.2.0/24")})}, nil},
		"prefixes, and names":       {[]Rule{rule(Conditions{Prefixes: prefixes("10.0.0.0/8")}), rule(Conditions{Prefixes: prefixes("10.1.0.0/16"), Domains: []string{"a.test"}})}, nil},
		"names within suffixes":     {[]Rule{rule(Conditions{Suffixes: []string{"a.test"}, Keywords: []string{"key"}}), rule(Conditions{Domains: []string{"www.a.test", "a.test", "monkey.test"}, Suffixes: []string{".a.test"}, Keywords: []string{"keyword"}})}, []string{"route.rules[1] can never match: route.rules[0] takes what it would"}},
		"a suffix, and below it":    {[]Rule{rule(Conditions{Suffixes: []string{".a.test"}}), rule(Conditions{Suffixes: []string{"a.test"}})}, nil},
		"ports within ports":        {[]Rule{rule(Conditions{Ports: ports(1, 1000)}), rule(Conditions{Ports: ports(80, 443), Prefixes: prefixes("10.0.0.0/8")})}, []string{"route.rules[1] can never match: route.rules[0] takes what it would"}},
		"ports beyond ports":        {[]Rule{rule(Conditions{Ports: ports(1, 1000)}), rule(Conditions{Ports: ports(443, 1001)})}, nil},
		"a condition more before":   {[]Rule{rule(Conditions{Ports: port(80), Networks: TCP}), rule(Conditions{Ports: port(80)})}, nil},
		"a condition more behind":   {[]Rule{rule(Conditions{Ports: port(80)}), rule(Conditions{Ports: port(80), Networks: TCP})}, []string{"route.rules[1] can never match: route.rules[0] takes what it would"}},
		"inverted":                  {[]Rule{rule(Conditions{Ports: port(80), Invert: true}), rule(Conditions{Ports: port(443)})}, nil},
		"inverted both":             {[]Rule{rule(Conditions{Ports: port(80), Invert: true}), rule(Conditions{Ports: ports(80, 443), Invert: true})}, []string{"route.rules[1] can never match: route.rules[0] takes what it would"}},
		"inverted both, the other":  {[]Rule{rule(Conditions{Ports: ports(80, 443), Invert: true}), rule(Conditions{Ports: port(80), Invert: true})}, nil},
		"the same, logical":         {[]Rule{rule(Conditions{Mode: And, Rules: []Conditions{{Ports: port(80), Invert: true}, {Networks: TCP}}}), rule(Conditions{Mode: And, Rules: []Conditions{{Ports: port(80), Invert: true}, {Networks: TCP}}})}, []string{"route.rules[1] can never match: route.rules[0] takes what it would"}},
		"one of several":            {[]Rule{rule(Conditions{Mode: Or, Rules: []Conditions{{Ports: port(80)}, {Ports: port(443)}}}), rule(Conditions{Ports: port(443), Networks: UDP})}, []string{"route.rules[1] can never match: route.rules[0] takes what it would"}},
		"all of several":            {[]Rule{rule(Conditions{Ports: port(443)}), rule(Conditions{Mode: And, Rules: []Conditions{{Networks: UDP}, {Ports: port(443)}}})}, []string{"route.rules[1] can never match: route.rules[0] takes what it would"}},
		"within a rule set":         {[]Rule{rule(Conditions{Sets: []string{"ads"}}), rule(Conditions{Prefixes: prefixes("192.0.2.7/32"), Suffixes: []string{"www.ads.test"}})}, []string{"route.rules[1] can never match: route.rules[0] takes what it would"}},
		"a rule set within":         {[]Rule{rule(Conditions{Prefixes: prefixes("192.0.0.0/16"), Suffixes: []string{"test"}}), rule(Conditions{Sets: []string{"ads"}})}, []string{"route.rules[1] can never match: route.rules[0] takes what it would"}},
		"a rule set and more":       {[]Rule{rule(Conditions{Prefixes: prefixes("192.0.0.0/16"), Suffixes: []string{"test"}}), rule(Conditions{Sets: []string{"ads", "quic"}})}, nil},
		"a rule set that is empty":  {[]Rule{rule(Conditions{Sets: []string{"empty"}})}, []string{"route.rules[0] can never match: rule_set empty: empty"}},
		"an empty one and another":  {[]Rule{rule(Conditions{Sets: []string{"empty", "ads"}})}, nil},
		"an inbound that is none":   {[]Rule{rule(Conditions{Inbounds: []string{"three"}})}, []string{"route.rules[0] can never match: inbound: there is none with the tag three"}},
		"an inbound that is one":    {[]Rule{rule(Conditions{Inbounds: []string{"three", "one"}})}, nil},
		"an inbound without UDP":    {[]Rule{rule(Conditions{Inbounds: []string{"streams"}, Networks: UDP})}, []string{"route.rules[0] can never match: network: inbound streams does not carry udp"}},
		"a time that there is not":  {[]Rule{rule(Conditions{Times: []Time{empty}})}, []string{"route.rules[0] can never match: time: there is no such time"}},
		"the inverse of everything": {[]Rule{rule(Conditions{Invert: true})}, []string{"route.rules[0] can never match: it is the inverse of a rule without conditions"}},
		"part of a logical one":     {[]Rule{rule(Conditions{Mode: And, Rules: []Conditions{{Ports: port(80)}, {Inbounds: []string{"three"}}}})}, []string{"route.rules[0] can never match: rules[1]: inbound: there is none with the tag three"}},
		"one part of many":          {[]Rule{rule(Conditions{Mode: Or, Rules: []Conditions{{Ports: port(80)}, {Inbounds: []string{"three"}}}})}, nil},
	} {
		table := newTable(t, c.rules...)
		table.known.Inbounds = append([]Inbound{{"streams", TCP}}, table.known.Inbounds...)
		var got []string
		for _, f := range table.Unreachable() {
			got = append(got, f.String())
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
