package route

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/redir/ruleset"
)

func TestReadSets(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("list", "192.0.2.0/24 # a network\nads.test\n")
	write("source.json", `{"version": 3, "rules": [{"ip_cidr": "198.51.100.0/24", "port": 443}, {"type": "logical", "mode": "and", "rules": [{"network": "udp"}, {"port": 53, "invert": true}]}]}`)
	write("empty", "# nothing\n")
	spec := Spec{
		Rules: []Rule{
			{Conditions: Conditions{Sets: []string{"list"}}, Outbound: "a"},
			{Conditions: Conditions{Sets: []string{"empty", "source"}, Ports: []ruleset.PortRange{{Low: 80, High: 80}}}, Outbound: "b"},
			{Conditions: Conditions{Sets: []string{"empty"}, Domains: []string{"own.test"}}, Outbound: "c"},
			{Conditions: Conditions{Sets: []string{"empty"}}, Outbound: "c"},
		},
		Sets:  []SetSpec{{"list", ruleset.List, path("list")}, {"source", ruleset.Source, path("source.json")}, {"empty", ruleset.List, path("empty")}},
		Final: "a",
	}
	sets, err := ReadSets(spec.Sets, nil)
	if err != nil {
		t.Fatal(err)
	}
	table, err := New(spec, sets, someKnown)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		network Network
		dest    string
		name    string
		rule    int
	}{
		{TCP, "192.0.2.1:1", "", 0},
		{TCP, "203.0.113.1:1", "www.ads.test", 0},
		{TCP, "198.51.100.1:443", "", 1}, // ports of the rule, or of the set
		{TCP, "198.51.100.1:80", "", 1},
		{TCP, "198.51.100.1:81", "", Final},
		{TCP, "203.0.113.1:80", "", Final},
		{UDP, "203.0.113.1:80", "", 1}, // a logical rule of the set, and the port of the rule
		{UDP, "203.0.113.1:443", "", Final},
		{UDP, "203.0.113.1:81", "own.test", 2},
	} {
		f := Flow{Network: c.network, Client: netip.MustParseAddrPort("10.0.0.1:1"), Dest: netip.MustParseAddrPort(c.dest), Name: c.name, Named: true}
		if v := table.Decide(&f); v.Rule != c.rule {
			t.Errorf("%+v: rule %d: %+v", c, v.Rule, table.Explain(&f))
		}
	}
	if found := table.Unreachable(); len(found) != 1 || found[0].Text != "route.rules[3] can never match: rule_set empty: empty" {
		t.Errorf("%v", found)
	}

	again, err := ReadSets(spec.Sets, sets)
	if err != nil || again.byTag["list"] != sets.byTag["list"] || again.byTag["source"] != sets.byTag["source"] {
		t.Errorf("what did not change was read again: %v", err)
	}
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(path("list"), later, later); err != nil {
		t.Fatal(err)
	}
	if again, err = ReadSets(spec.Sets, sets); err != nil || again.byTag["list"] == sets.byTag["list"] || again.byTag["source"] != sets.byTag["source"] {
		t.Errorf("a new time: %v", err)
	}
	asSource := []SetSpec{{"list", ruleset.Source, path("list")}}
	if _, err = ReadSets(asSource, again); err == nil || !strings.HasPrefix(err.Error(), "route.rule_set[0]: "+path("list")+":1: ") {
		t.Errorf("a list as source: %v", err)
	}
	write("list", "a name\n")
	if _, err = ReadSets(spec.Sets, again); err == nil || !strings.HasPrefix(err.Error(), "route.rule_set[0]: "+path("list")+":1: ") {
		t.Errorf("a bad line: %v", err)
	}
	if err := os.Remove(path("source.json")); err != nil {
		t.Fatal(err)
	}
	if _, err = ReadSets(spec.Sets[1:], again); err == nil || !strings.Contains(err.Error(), "route.rule_set[0]: ") || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
}
