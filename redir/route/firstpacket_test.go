package route

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"sluice/redir/prefix"
	"sluice/redir/ruleset"
)

// ranges are those of a set.
func ranges(s *prefix.Set) (all []string) {
	for low, high := range s.Ranges {
		all = append(all, low.String()+"-"+high.String())
	}
	return all
}

func TestFirstPacket(t *testing.T) {
	sets := setsOf(t, map[string][]Conditions{
		"networks": {{Prefixes: prefixes("192.0.2.0/24")}, {Prefixes: prefixes("192.0.3.0/24", "2001:db8::/32")}},
		"names":    {{Suffixes: []string{"a.test"}}},
		"ports":    {{Prefixes: prefixes("192.0.2.0/24"), Ports: port(1)}},
		"inverse":  {{Prefixes: prefixes("192.0.2.0/24"), Invert: true}},
	})
	c := Conditions{Networks: UDP, Inbounds: []string{"one"}, Prefixes: prefixes("10.0.0.0/8"), Sets: []string{"networks"}, SourcePrivate: true,
		Sources: prefixes("192.0.2.0/24"), Ports: append(port(443), ruleset.PortRange{Low: 1, High: 79}), SourcePorts: port(7), Invert: true}
	p, err := c.FirstPacket(sets)
	if err != nil {
		t.Fatal(err)
	}
	if p.Networks != UDP || !slices.Equal(p.Inbounds, []string{"one"}) || !p.Invert || !p.Asks() ||
		!reflect.DeepEqual(p.Ports, ruleset.Ports{{Low: 1, High: 79}, {Low: 443, High: 443}}) || !reflect.DeepEqual(p.SourcePorts, ruleset.Ports{{Low: 7, High: 7}}) {
		t.Errorf("%+v", p)
	}
	if got, want := ranges(p.Dest), []string{"10.0.0.0-10.255.255.255", "192.0.2.0-192.0.3.255", "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := ranges(p.Source); !slices.Contains(got, "192.0.2.0-192.0.2.255") || !slices.Contains(got, "10.0.0.0-10.255.255.255") {
		t.Errorf("%q", got)
	}
	if p, err := (&Conditions{Networks: TCP | UDP}).FirstPacket(nil); err != nil || p.Asks() {
		t.Errorf("nothing is asked: %+v, %v", p, err)
	}
	mac, _ := ParseMAC("02:00:00:00:00:07")
	always, _ := ParseTime("00:00-24:00")
	for want, c := range map[string]Conditions{
		"is a logical rule":                          {Mode: Or, Rules: []Conditions{{}}},
		"source_mac_address: asks for":               {MACs: []MAC{mac}},
		"time: asks for":                             {Times: []Time{always}},
		"domain: asks for names":                     {Domains: []string{"a.test"}, Keywords: []string{"a"}},
		"domain_suffix: asks for names":              {Suffixes: []string{"a.test"}},
		"domain_keyword: asks for names":             {Keywords: []string{"a"}},
		"rule_set names: asks for names":             {Sets: []string{"networks", "names"}},
		"rule_set ports: asks for more than the des": {Sets: []string{"ports"}},
		"rule_set inverse: asks for more than the d": {Sets: []string{"inverse"}},
		"there is no rule set \"none\"":              {Sets: []string{"none"}},
	} {
		if p, err := c.FirstPacket(sets); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %+v, %v, want %s", c, p, err, want)
		}
	}
}
