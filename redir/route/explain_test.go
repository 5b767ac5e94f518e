package route

import (
	"fmt"
	"reflect"
	"testing"

	"sluice/redir/ruleset"
)

func TestExplain(t *testing.T) {
	mac, _ := ParseMAC("02:00:00:00:00:07")
	always, _ := ParseTime("00:00-24:00")
	rule := func(c Conditions) Rule { return Rule{Conditions: c, Outbound: "b"} }
	for name, c := range map[string]struct {
		rules []Rule
		flow  *Flow
		want  []string
	}{
		"in order, to the one that decides": {
			[]Rule{rule(Conditions{Ports: port(80)}), rule(Conditions{Prefixes: prefixes("192.0.2.0/24"), Networks: TCP}), rule(Conditions{})},
			flow(TCP, "10.0.0.1:1", "192.0.2.1:443", ""),
			[]string{"route.rules[0] no: port: not 443", "route.rules[1] yes: network tcp, ip_cidr 192.0.2.0/24 (192.0.2.1)"}},
		"names": {
			[]Rule{rule(Conditions{Domains: []string{"b.test"}, Keywords: []string{"key"}}), rule(Conditions{Suffixes: []string{".test"}})},
			flow(TCP, "10.0.0.1:1", "192.0.2.1:443", "a.test"),
			[]string{"route.rules[0] no: domain, domain_keyword: not 192.0.2.1 (a.test)", "route.rules[1] yes: domain_suffix .test (a.test)"}},
		"a name that is not known": {
			[]Rule{rule(Conditions{Suffixes: []string{".test"}, Ports: port(443)}), rule(Conditions{})},
			flow(TCP, "10.0.0.1:1", "192.0.2.1:443", ""),
			[]string{"route.rules[0] unknown: domain_suffix: the name tells", "route.rules[1] yes: it asks for nothing"}},
		"rule sets": {
			[]Rule{rule(Conditions{Sets: []string{"quic"}}), rule(Conditions{Sets: []string{"quic", "ads"}, Prefixes: prefixes("10.0.0.0/8"), SourcePrivate: true})},
			flow(TCP, "10.0.0.1:1", "192.0.2.1:443", "x.test"),
			[]string{"route.rules[0] no: rule_set quic: network: not tcp", "route.rules[1] yes: source_ip_is_private 10.0.0.0/8 (10.0.0.1), rule_set ads: ip_cidr 192.0.2.0/24 (192.0.2.1)"}},
		"a rule set's name": {
			[]Rule{rule(Conditions{Sets: []string{"ads"}})}, flow(TCP, "10.0.0.1:1", "203.0.113.1:443", "www.ads.test"),
			[]string{"route.rules[0] yes: rule_set ads: domain www.ads.test"}},
		"none of the rule sets": {
			[]Rule{rule(Conditions{Sets: []string{"ads"}}), rule(Conditions{Sets: []string{"ads", "quic"}})}, flow(TCP, "10.0.0.1:1", "203.0.113.1:443", "x.test"),
			[]string{"route.rules[0] no: rule_set ads: not 203.0.113.1 (x.test)", "route.rules[1] no: rule_set: 203.0.113.1 (x.test) is not in ads, quic"}},
		"logical": {
			[]Rule{rule(Conditions{Mode: And, Rules: []Conditions{{Networks: TCP}, {Ports: port(80)}}}), rule(Conditions{Mode: And, Invert: true, Rules: []Conditions{{Networks: TCP}, {Ports: []ruleset.PortRange{{Low: 1, High: 79}}, Invert: true}}}),
				rule(Conditions{Mode: Or, Rules: []Conditions{{Ports: port(1)}, {Ports: []ruleset.PortRange{{Low: 1, High: 999}}}, {}}})},
			flow(TCP, "10.0.0.1:1", "192.0.2.1:443", ""),
			[]string{"route.rules[0] no: rules[1]: port: not 443", "route.rules[1] no: inverted: rules[0]: network tcp; rules[1]: inverted: port: not 443", "route.rules[2] yes: rules[1]: port 443 (1:999)"}},
		"the rest": {
			[]Rule{rule(Conditions{Inbounds: []string{"two"}}), rule(Conditions{Inbounds: []string{"one"}, MACs: []MAC{mac}, Times: []Time{always}, SourcePorts: port(7), Private: true})},
			flow(UDP, "[fd00::7]:7", "[fe80::1]:53", ""),
			[]string{"route.rules[0] no: inbound: not one", "route.rules[1] yes: inbound one, time now, source_mac_address 02:00:00:00:00:07, source_port 7, ip_is_private fe80::/10 (fe80::1)"}},
		"a MAC address that is not known": {
			[]Rule{rule(Conditions{MACs: []MAC{mac}})}, flow(UDP, "[fd00::8]:7", "[fe80::1]:53", ""),
			[]string{"route.rules[0] no: source_mac_address: not known of fd00::8"}},
	} {
		var got []string
		for _, s := range newTable(t, c.rules...).Explain(c.flow).Steps {
			got = append(got, fmt.Sprintf("%s %s: %s", s.Name, s.Answer, s.Why))
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got\n%q, want\n%q", name, got, c.want)
		}
	}
}
