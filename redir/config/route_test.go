package config

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"sluice/redir/route"
	"sluice/redir/ruleset"
)

// routeFile has each key of routes once.
const routeFile = `{"outbounds": [{"type": "direct", "tag": "proxy"}], "route": {
	"rules": [
		{"inbound": "lan", "network": ["tcp", "udp"], "source_ip_cidr": ["10.0.0.0/8", "2001:db8::7"], "source_ip_is_private": true,
		 "source_port": 1024, "source_port_range": ":1023", "port": [80, 443], "port_range": ["1000:2000", "4000:"],
		 "source_mac_address": "02-00-5E-10-00-00", "time": ["mon-fri 08:00-17:00", "Sat"], "outbound": "proxy"},
		{"domain": "a.test", "domain_suffix": [".b.test", "c.test"], "domain_keyword": ["key"], "ip_cidr": "192.0.2.7/24",
		 "ip_is_private": true, "rule_set": ["ads", "more"], "invert": true, "action": "route", "outbound": "proxy", "override_port": 8443},
		{"type": "logical", "mode": "and", "invert": true, "outbound": "proxy", "rules": [
			{"network": "udp"},
			{"type": "logical", "mode": "or", "rules": [{"port": 53, "invert": true}, {"type": "default", "domain": "a.test"}]}]},
		{"port": 25, "action": "reject"},
		{"port": 26, "action": "reject", "method": "drop"},
		{"override_port": 8080}
	],
	"rule_set": [
		{"type": "local", "tag": "ads", "format": "list", "path": "lists/ads.txt"},
		{"tag": "more", "format": "source", "path": "/etc/more.json"}
	],
	"final": "proxy"
}}`

func ports(low, high uint16) ruleset.PortRange { return ruleset.PortRange{Low: low, High: high} }

func parsed[T any](parse func(string) (T, error), texts ...string) (all []T) {
	for _, text := range texts {
		value, err := parse(text)
		if err != nil {
			panic(err)
		}
		all = append(all, value)
	}
	return all
}

func TestParseRoute(t *testing.T) {
	f, err := Parse("/etc/sluice/f.json", []byte(routeFile), testKeys())
	if err != nil {
		t.Fatal(err)
	}
	want := route.Spec{
		Rules: []route.Rule{
			{Outbound: "proxy", Conditions: route.Conditions{
				Inbounds: []string{"lan"}, Networks: route.TCP | route.UDP, SourcePrivate: true,
				Sources:     []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::7/128")},
				SourcePorts: []ruleset.PortRange{ports(1024, 1024), ports(0, 1023)},
				Ports:       []ruleset.PortRange{ports(80, 80), ports(443, 443), ports(1000, 2000), ports(4000, 65535)},
				MACs:        parsed(route.ParseMAC, "02:00:5e:10:00:00"), Times: parsed(route.ParseTime, "mon-fri 08:00-17:00", "sat"),
			}},
			{Outbound: "proxy", Port: 8443, Conditions: route.Conditions{
				Domains: []string{"a.test"}, Suffixes: []string{".b.test", "c.test"}, Keywords: []string{"key"},
				Prefixes: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Private: true, Sets: []string{"ads", "more"}, Invert: true,
			}},
			{Outbound: "proxy", Conditions: route.Conditions{Mode: route.And, Invert: true, Rules: []route.Conditions{
				{Networks: route.UDP},
				{Mode: route.Or, Rules: []route.Conditions{{Ports: []ruleset.PortRange{ports(53, 53)}, Invert: true}, {Domains: []string{"a.test"}}}},
			}}},
			{Outbound: route.Reset, Conditions: route.Conditions{Ports: []ruleset.PortRange{ports(25, 25)}}},
			{Outbound: route.Drop, Conditions: route.Conditions{Ports: []ruleset.PortRange{ports(26, 26)}}},
			{Port: 8080},
		},
		Sets: []route.SetSpec{
			{Tag: "ads", Path: "/etc/sluice/lists/ads.txt"},
			{Tag: "more", Format: ruleset.Source, Path: "/etc/more.json"},
		},
		Final: "proxy",
	}
	if !reflect.DeepEqual(f.Route, want) {
		t.Errorf("got  %+v\nwant %+v", f.Route, want)
	}
	again, err := Parse("/etc/other/printed.json", f.config().Print(), testKeys())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*route.Spec{&again.Route, &want} { // by what they are, not by how they were written
		s.Rules[0].SourcePorts, s.Rules[0].Ports = ruleset.PortsOf(s.Rules[0].SourcePorts), ruleset.PortsOf(s.Rules[0].Ports)
	}
	if !reflect.DeepEqual(again.Route, want) {
		t.Errorf("printed and read again\n%+v\nwant\n%+v", again.Route, want)
	}
}

func TestRouteErrors(t *testing.T) {
	rule := func(members string) string { return `{"route": {"rules": [{` + members + `}]}}` }
	set := func(members string) string { return `{"route": {"rule_set": [{` + members + `}]}}` }
	for _, c := range []struct{ text, want string }{
		{`{"route": []}`, `1:11: route: want an object, not a list`},
		{`{"route": {"rule": []}}`, `1:12: route: unknown key "rule"; sluice calls it "rules"`},
		{`{"route": {"auto_detect_interface": true}}`, `1:12: route: sluice does not have sing-box's "auto_detect_interface": leave it out`},
		{`{"route": {"rules": {}}}`, `1:21: route.rules: want a list of objects, not an object`},
		{`{"route": {"rules": [5]}}`, `1:22: route.rules[0]: want an object, not 5`},
		{`{"route": {"final": ""}}`, `1:21: route.final: want the tag of an outbound, not ""`},

		// keys of rules
		{rule(`"ports": 1`), `1:23: route.rules[0]: unknown key "ports"; sluice calls it "port"`},
		{rule(`"geoip": "cn"`), `1:23: route.rules[0]: sluice does not have sing-box's "geoip": a rule_set has networks`},
		{rule(`"process_name": "curl"`), `1:23: route.rules[0]: sluice does not have sing-box's "process_name": leave it out`},
		{rule(`"port": 1`), `1:22: route.rules[0]: does not say what becomes of flows: want "outbound", "override_port" or "action": "reject"`},
		{rule(`"mode": "and"`), `1:23: route.rules[0]: "mode": only rules with "type": "logical" have it`},
		{rule(`"type": "logic"`), `1:31: route.rules[0].type: want "default" or "logical", not "logic"; the nearest is "logical"`},
		{rule(`"invert": 2`), `1:33: route.rules[0].invert: want true or false, not 2`},

		// logical ones
		{rule(`"type": "logical", "port": 1`), `1:42: route.rules[0]: "port": a logical rule has no conditions of its own: put this into one of its rules`},
		{rule(`"type": "logical"`), "1:22: route.rules[0]: has no \"mode\": want \"and\" or \"or\"\nf.json:1:22: route.rules[0]: has no \"rules\": want a list of rules"},
		{rule(`"type": "logical", "mode": "xor"`), `1:50: route.rules[0].mode: want "and" or "or", not "xor"`},
		{rule(`"type": "logical", "mode": "or", "rules": []`), `1:22: route.rules[0]: has no "rules": want a list of rules`},
		{rule(`"type": "logical", "mode": "or", "rules": [{"outbound": "a"}]`), `1:67: route.rules[0].rules[0]: "outbound": a rule within another has conditions only`},
		{rule(`"type": "logical", "mode": "or", "rules": [{"port": [1, 0]}]`), `1:79: route.rules[0].rules[0].port[1]: want a number from 1 to 65535, not 0`},

		// conditions
		{rule(`"inbound": [""]`), `1:35: route.rules[0].inbound[0]: want the tag of an inbound, not ""`},
		{rule(`"inbound": []`), `1:34: route.rules[0].inbound: an empty list: say what it holds, or leave the key out`},
		{rule(`"network": "icmp"`), `1:34: route.rules[0].network: want "tcp" or "udp", or a list of both, not "icmp"`},
		{rule(`"ip_cidr": ["10.0.0.0/8", "10.0.0.0/33"]`), `1:49: route.rules[0].ip_cidr[1]: want a network or an address, as "192.0.2.0/24" or "2001:db8::1", not "10.0.0.0/33"`},
		{rule(`"source_ip_cidr": "fe80::1%eth0"`), `1:41: route.rules[0].source_ip_cidr: want a network or an address, as "192.0.2.0/24" or "2001:db8::1", not "fe80::1%eth0"`},
		{rule(`"port": "http"`), `1:31: route.rules[0].port: want a number from 1 to 65535, not "http"`},
		{rule(`"port_range": ["1:2", "80"]`), `1:45: route.rules[0].port_range[1]: "80": want a range of ports, as 1000:2000, :3000 or 4000:`},
		{rule(`"domain": "https://a.test"`), `1:33: route.rules[0].domain: "https://a.test": a URL: want the name alone, as example.com`},
		{rule(`"domain_suffix": ["a.test", 5]`), `1:51: route.rules[0].domain_suffix[1]: want a name, not 5`},
		{rule(`"source_mac_address": "02:00"`), `1:45: route.rules[0].source_mac_address: want a MAC address as "02:00:5e:10:00:00", not "02:00"`},
		{rule(`"time": "25:00-26:00"`), `1:31: route.rules[0].time: want a time as "mon-fri 08:00-17:00", "sat,sun" or "22:00-06:00", not "25:00-26:00": "25:00" is no time of the day, as 08:00`},
		{rule(`"rule_set": "ads"`), `1:35: route.rules[0].rule_set: there is no rule set "ads": declare it in route.rule_set`},
		{rule(`"rule_set": "` + strings.Repeat("a", 5000) + `"`), `1:35: route.rules[0].rule_set: 5000 bytes: want 4096 at most`},
		{
			`{"route": {"rule_set": [{"tag": "ads", "path": "a"}], "rules": [{"rule_set": "add", "outbound": "direct"}]}}`,
			`1:78: route.rules[0].rule_set: there is no rule set "add"; the nearest is "ads"`,
		},

		// actions
		{rule(`"action": "hijack-dns"`), `1:33: route.rules[0].action: sluice answers no DNS, and the system resolves names: leave this rule out`},
		{rule(`"action": "sniff"`), `1:33: route.rules[0].action: names are found where a rule needs one: leave this rule out`},
		{rule(`"action": "reject", "outbound": "direct"`), `1:55: route.rules[0].outbound: what is rejected goes nowhere: leave this out, or "action"`},
		{rule(`"action": "reject", "method": "reset"`), `1:53: route.rules[0].method: want "default" or "drop", not "reset"`},
		{rule(`"outbound": "direct", "method": "drop"`), `1:55: route.rules[0].method: only the action "reject" has one`},
		{rule(`"outbound": "direct", "override_port": 0`), `1:62: route.rules[0].override_port: want a number from 1 to 65535, not 0`},

		{rule(`"outbound": "proxi"`), `1:35: route.rules[0].outbound: there is no outbound "proxi": declare it in outbounds, or name "direct" or "upstream"`},
		{`{"outbounds": [{"type": "direct", "tag": "proxy"}], "route": {"rules": [{"outbound": "proxi"}]}}`, `1:86: route.rules[0].outbound: there is no outbound "proxi"; the nearest is "proxy"`},
		{`{"route": {"final": "proxy"}}`, `1:21: route.final: there is no outbound "proxy": declare it in outbounds, or name "direct" or "upstream"`},

		// rule sets
		{set(`"tag": "a"`), `1:25: route.rule_set[0]: has no "path": want the path of a file`},
		{set(`"path": "a"`), `1:25: route.rule_set[0]: has no "tag": want a name`},
		{set(`"type": "remote", "tag": "a", "url": "https://"`), `1:34: route.rule_set[0].type: rule sets are files: want "local", not "remote"` + "\n" + `f.json:1:56: route.rule_set[0]: sluice does not have sing-box's "url": rule sets are files: fetch it into one`},
		{set(`"type": "remote", "tag": "a"`), `1:34: route.rule_set[0].type: rule sets are files: want "local", not "remote"`},
		{set(`"tag": "a", "rules": []`), `1:38: route.rule_set[0]: "rules": the rules of a set stand in a file of the format source, which path names`},
		{set(`"tag": "a", "path": "a", "format": "text"`), `1:61: route.rule_set[0].format: "text": want list or source`},
		{set(`"tag": "a", "path": "/a.srs"`), `1:46: route.rule_set[0].path: binary rule sets are not read: want the source, as sing-box rule-set decompile /a.srs makes it`},
		{set(`"tag": "a", "path": "a"}, {"tag": "a", "path": "b"`), `1:52: route.rule_set[1]: its tag "a" is that of rule_set[0]; give it another`},
	} {
		if f, err := Parse("f.json", []byte(c.text), testKeys()); err == nil {
			t.Errorf("%s\ngave %+v", c.text, f.Route)
		} else if got := err.Error(); got != "f.json:"+c.want {
			t.Errorf("%s\ngot  %s\nwant f.json:%s", c.text, got, c.want)
		}
	}
	deep := strings.Repeat(`{"type": "logical", "mode": "or", "rules": [`, 12) + `{"port": 1}` + strings.Repeat(`]}`, 12)
	if _, err := Parse("f.json", []byte(`{"route": {"rules": [`+deep+`]}}`), testKeys()); err == nil || !strings.Contains(err.Error(), "8 logical rules around it") {
		t.Errorf("twelve rules within each other: %v", err)
	}
}

func TestRouteChanges(t *testing.T) {
	file := func(text string) Config {
		f, err := Parse("/f.json", []byte(text), testKeys())
		if err != nil {
			t.Fatal(err)
		}
		return f.config()
	}
	before := file(routeFile)
	for _, c := range []struct {
		from, to string
		want     []string
	}{
		{`"port": 25,`, `"port": 25,`, nil},
		{`"port": 25,`, `"port": 27,`, []string{"route.rules: 1 gone, 1 new"}},
		{`{"override_port": 8080}`, `{"override_port": 8080}, {"outbound": "proxy"}`, []string{"route.rules: 0 gone, 1 new"}},
		{`"port": 25, "action": "reject"}`, `"port": 26, "action": "reject", "method": "drop"}`, []string{"route.rules: 1 gone, 1 new"}},
		{`ads.txt`, `new.txt`, []string{"route.rule_set: 1 gone, 1 new"}},
		{`"final": "proxy"`, `"final": "direct"`, []string{"route.final proxy -> direct"}},
	} {
		after := file(strings.Replace(routeFile, c.from, c.to, 1))
		if got := before.Changes(after); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s -> %s: %q, want %q", c.from, c.to, got, c.want)
		}
	}
	swapped := strings.NewReplacer(`{"port": 25, "action": "reject"}`, `{"port": 26, "action": "reject", "method": "drop"}`,
		`{"port": 26, "action": "reject", "method": "drop"}`, `{"port": 25, "action": "reject"}`).Replace(routeFile)
	if got := before.Changes(file(swapped)); !reflect.DeepEqual(got, []string{"route.rules in another order"}) {
		t.Errorf("swapped: %q", got)
	}
	none := before
	none.Route = route.Spec{}
	if got := none.Changes(before); !reflect.DeepEqual(got, []string{"route.rules: 0 gone, 6 new", "route.rule_set: 0 gone, 2 new", "route.final none -> proxy"}) {
		t.Errorf("from nothing: %q", got)
	}
}
