package route

import (
	"net/netip"
	"testing"
	"time"

	"sluice/redir/ruleset"
)

// port is a range of one.
func port(n uint16) []ruleset.PortRange { return []ruleset.PortRange{{Low: n, High: n}} }

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// neighbours are a neighbour table.
type neighbours map[netip.Addr][6]byte

func (n neighbours) MAC(a netip.Addr) (mac [6]byte, ok bool) { mac, ok = n[a]; return mac, ok }

// newTable is a table of rules whose outbounds are a, b and c; Final is a.
func newTable(t testing.TB, rules ...Rule) *Table {
	t.Helper()
	known := someKnown
	known.Neighbours = neighbours{netip.MustParseAddr("10.0.0.7"): {2, 0, 0, 0, 0, 7}, netip.MustParseAddr("fd00::7"): {2, 0, 0, 0, 0, 7}}
	table, err := New(Spec{Rules: rules, Final: "a"}, setsOf(t, map[string][]Conditions{
		"ads":   {{Suffixes: []string{"ads.test"}, Prefixes: prefixes("192.0.2.0/24")}},
		"empty": {},
		"quic":  {{Networks: UDP, Ports: port(443)}},
	}), known)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func flow(network Network, client, dest, name string) *Flow {
	f := &Flow{Inbound: "one", Network: network, Client: netip.MustParseAddrPort(client), Dest: netip.MustParseAddrPort(dest)}
	f.Name, f.Named = name, name != ""
	if name == "-" { // none will be known
		f.Name = ""
	}
	return f
}

func TestDecide(t *testing.T) {
	mac, _ := ParseMAC("02:00:00:00:00:07")
	names := func(rule Rule) Rule { rule.Suffixes = []string{"a.test"}; return rule }
	for name, c := range map[string]struct {
		rules []Rule
		flow  *Flow
		want  Verdict
	}{
		"no rules": {nil, flow(TCP, "10.0.0.1:1", "192.0.2.1:1", ""), Verdict{Rule: Final}},
		"the first that matches": {[]Rule{{Conditions: Conditions{Networks: UDP}}, {Outbound: "b"}, {Outbound: "c"}},
			flow(TCP, "10.0.0.1:1", "192.0.2.1:1", ""), Verdict{Rule: 1}},
		"no name needed before the rule that matches": {[]Rule{{Outbound: "b"}, names(Rule{Outbound: "c"})},
			flow(TCP, "10.0.0.1:1", "192.0.2.1:1", ""), Verdict{Rule: 0}},
		"a name needed":         {[]Rule{names(Rule{Outbound: "b"})}, flow(TCP, "10.0.0.1:1", "192.0.2.1:1", ""), Verdict{NeedsName: true}},
		"none will be known":    {[]Rule{names(Rule{Outbound: "b"})}, flow(TCP, "10.0.0.1:1", "192.0.2.1:1", "-"), Verdict{Rule: Final}},
		"the name is known":     {[]Rule{names(Rule{Outbound: "b"})}, flow(TCP, "10.0.0.1:1", "192.0.2.1:1", "www.a.test"), Verdict{Rule: 0}},
		"another group says no": {[]Rule{names(Rule{Outbound: "b", Conditions: Conditions{Ports: port(443)}})}, flow(TCP, "10.0.0.1:1", "192.0.2.1:80", ""), Verdict{Rule: Final}},
		"the address says yes": {[]Rule{names(Rule{Outbound: "b", Conditions: Conditions{Prefixes: prefixes("192.0.2.0/24")}})},
			flow(TCP, "10.0.0.1:1", "192.0.2.1:80", ""), Verdict{Rule: 0}},
		"the name makes no difference": {[]Rule{names(Rule{Outbound: "b"}), {Conditions: Conditions{Prefixes: prefixes("192.0.2.0/24")}, Outbound: "b"}},
			flow(TCP, "10.0.0.1:1", "192.0.2.1:80", ""), Verdict{Rule: 1}},
		"the name makes no difference to final":   {[]Rule{names(Rule{Outbound: "a"})}, flow(TCP, "10.0.0.1:1", "192.0.2.1:80", ""), Verdict{Rule: Final}},
		"the name makes a difference to the port": {[]Rule{names(Rule{Outbound: "a", Port: 8080})}, flow(TCP, "10.0.0.1:1", "192.0.2.1:80", ""), Verdict{NeedsName: true}},
		"a rule set's name":                       {[]Rule{{Conditions: Conditions{Sets: []string{"ads"}}, Outbound: "b"}}, flow(TCP, "10.0.0.1:1", "203.0.113.1:80", ""), Verdict{NeedsName: true}},
		"a rule set's address":                    {[]Rule{{Conditions: Conditions{Sets: []string{"ads"}}, Outbound: "b"}}, flow(TCP, "10.0.0.1:1", "192.0.2.1:80", ""), Verdict{Rule: 0}},
		"inverted and unknown":                    {[]Rule{names(Rule{Outbound: "b", Conditions: Conditions{Invert: true}})}, flow(TCP, "10.0.0.1:1", "192.0.2.1:80", ""), Verdict{NeedsName: true}},
		"inverted without name":                   {[]Rule{names(Rule{Outbound: "b", Conditions: Conditions{Invert: true}})}, flow(TCP, "10.0.0.1:1", "192.0.2.1:80", "-"), Verdict{Rule: 0}},
		"inbound":                                 {[]Rule{{Conditions: Conditions{Inbounds: []string{"two"}}, Outbound: "b"}}, flow(TCP, "10.0.0.1:1", "192.0.2.1:80", ""), Verdict{Rule: Final}},
		"MAC, IPv4":                               {[]Rule{{Conditions: Conditions{MACs: []MAC{mac}}, Outbound: "b"}}, flow(TCP, "10.0.0.7:1", "192.0.2.1:80", ""), Verdict{Rule: 0}},
		"MAC, IPv6":                               {[]Rule{{Conditions: Conditions{MACs: []MAC{mac}}, Outbound: "b"}}, flow(TCP, "[fd00::7]:1", "[2001:db8::1]:80", ""), Verdict{Rule: 0}},
		"MAC of a link's address":                 {[]Rule{{Conditions: Conditions{MACs: []MAC{mac}}, Outbound: "b"}}, flow(TCP, "[fd00::7%lan]:1", "[2001:db8::1]:80", ""), Verdict{Rule: 0}},
		"MAC not known":                           {[]Rule{{Conditions: Conditions{MACs: []MAC{mac}}, Outbound: "b"}}, flow(TCP, "10.0.0.8:1", "192.0.2.1:80", ""), Verdict{Rule: Final}},
		"private, IPv6":                           {[]Rule{{Conditions: Conditions{Private: true}, Outbound: "b"}}, flow(UDP, "[fd00::7]:1", "[fe80::1]:53", ""), Verdict{Rule: 0}},
		"a client's port":                         {[]Rule{{Conditions: Conditions{SourcePorts: port(7)}, Outbound: "b"}}, flow(UDP, "10.0.0.7:7", "192.0.2.1:53", ""), Verdict{Rule: 0}},
	} {
		table := newTable(t, c.rules...)
		if got := table.Decide(c.flow); got != c.want {
			t.Errorf("%s: %+v, want %+v; %+v", name, got, c.want, table.Explain(c.flow))
		}
		if n := testing.AllocsPerRun(10, func() { table.Decide(c.flow) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestErrorsOfTables(t *testing.T) {
	for want, s := range map[string]Spec{
		`route.final: there is no outbound "x"`:                                           {Final: "x"},
		`route.rules[1].outbound: there is no outbound "x"`:                               {Rules: []Rule{{Outbound: "a"}, {Outbound: "x"}}},
		`--block 192.0.2.0/24.outbound: there is no outbound "x"`:                         {Rules: []Rule{{Outbound: "x", From: "--block 192.0.2.0/24"}}},
		`route.rules[0].rule_set[0]: there is no rule set "x": name it in route.rule_set`: {Rules: []Rule{{Conditions: Conditions{Sets: []string{"x"}}}}},
	} {
		if _, err := New(s, nil, someKnown); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := New(Spec{Rules: []Rule{{Outbound: Reset}, {Outbound: Drop}, {}}}, nil, someKnown); err != nil {
		t.Error(err)
	}
}

func TestNeedsNames(t *testing.T) {
	named := Conditions{Keywords: []string{"a"}}
	tcp := newTable(t, Rule{Outbound: "b", Conditions: Conditions{Networks: TCP, Sets: []string{"ads"}}})
	udp := newTable(t, Rule{Outbound: "b", Conditions: Conditions{Mode: Or, Rules: []Conditions{{Ports: port(1)}, {Mode: And, Rules: []Conditions{{Networks: UDP}, named}}}}})
	none := newTable(t, Rule{Outbound: "b", Conditions: Conditions{Sets: []string{"quic"}}})
	for _, c := range []struct {
		table    *Table
		tcp, udp bool
	}{{nil, false, false}, {tcp, true, false}, {udp, true, true}, {none, false, false}} {
		if got, and := c.table.NeedsNames(TCP), c.table.NeedsNames(UDP); got != c.tcp || and != c.udp {
			t.Errorf("%v %v, want %v %v", got, and, c.tcp, c.udp)
		}
	}
}

func TestTimesOfTables(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	local := time.Local
	time.Local = zone
	defer func() { time.Local = local }()
	night, err := ParseTime("sun 01:30-03:30")
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(t, Rule{Conditions: Conditions{Times: []Time{night}}, Outbound: "b"})
	f := flow(TCP, "10.0.0.1:1", "192.0.2.1:80", "")
	for _, c := range []struct {
		utc  string
		rule int
	}{
		{"2026-03-29T00:29:59Z", Final}, // 01:29 in winter
		{"2026-03-29T00:30:00Z", 0},
		{"2026-03-29T00:59:59Z", 0},
		{"2026-03-29T01:00:00Z", 0}, // 03:00 in summer
		{"2026-03-29T01:29:59Z", 0},
		{"2026-03-29T01:30:00Z", Final},
		{"2026-10-25T00:00:00Z", 0}, // 02:00 in summer
		{"2026-10-25T01:00:00Z", 0}, // 02:00 in winter
		{"2026-10-25T02:30:00Z", Final},
	} {
		now, err := time.Parse(time.RFC3339, c.utc)
		if err != nil {
			t.Fatal(err)
		}
		table.clock.now = func() time.Time { return now }
		for range 2 { // the second time from what is kept
			if v := table.Decide(f); v.Rule != c.rule {
				t.Errorf("%s: rule %d, want %d", c.utc, v.Rule, c.rule)
			}
		}
	}
	table.clock.now = time.Now
	if n := testing.AllocsPerRun(10, func() { table.Decide(f) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
