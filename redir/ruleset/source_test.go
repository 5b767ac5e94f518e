package ruleset

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

const someSource = `{
  "version": 3,
  "rules": [
    {
      "network": "tcp",
      "domain": ["only.example", "Upper.example"],
      "domain_suffix": ["example.com", ".example.org"],
      "domain_keyword": "track",
      "ip_cidr": ["10.0.0.0/8", "2001:db8::1"],
      "source_ip_cidr": "192.0.2.0/24",
      "port": [443, 80, 81],
      "port_range": ["1000:2000", "82:90", "60000:"],
      "source_port": 53,
      "source_port_range": ":10",
      "invert": true
    },
    {"rules": [{"ip_cidr": "10.0.0.0/8"}, {"type": "default", "network": ["udp"], "port": []}], "mode": "or", "type": "logical"}
  ]
}
`

func TestSource(t *testing.T) {
	f, err := Parse("s", Source, strings.NewReader("\xef\xbb\xbf"+someSource))
	if err != nil {
		t.Fatal(err)
	}
	r := f.Rules[0]
	if len(f.Rules) != 2 || r.Mode != Plain || r.Networks != TCP || !r.Invert || r.Rules != nil {
		t.Fatalf("%+v", f)
	}
	if want := (Ports{{80, 90}, {443, 443}, {1000, 2000}, {60000, 65535}}); !slices.Equal(r.DestPorts, want) {
		t.Errorf("ports %v", r.DestPorts)
	}
	if want := (Ports{{0, 10}, {53, 53}}); !slices.Equal(r.SourcePorts, want) {
		t.Errorf("source ports %v", r.SourcePorts)
	}
	for _, name := range []string{"only.example", "upper.example", "example.com", "a.example.com", "a.example.org", "tracker"} {
		if !r.Names.Match(name) {
			t.Errorf("%s does not match", name)
		}
	}
	if r.Names.Match("example.org") || r.Names.Len() != 5 {
		t.Errorf("names %+v", r.Names)
	}
	if !r.Dests.Contains(netip.MustParseAddr("10.9.9.9")) || !r.Dests.Contains(netip.MustParseAddr("2001:db8::1")) || r.Dests.Len() != 2 {
		t.Errorf("dests %+v", r.Dests)
	}
	if !r.Sources.Contains(netip.MustParseAddr("192.0.2.9")) || r.Sources.Len() != 1 {
		t.Errorf("sources %+v", r.Sources)
	}
	l := f.Rules[1]
	if l.Mode != Or || len(l.Rules) != 2 || l.Invert || l.Rules[0].Dests.Len() != 1 || l.Rules[1].Networks != UDP || l.Rules[1].DestPorts != nil {
		t.Errorf("%+v", l)
	}
}

func TestSourceRefuses(t *testing.T) {
	rule := func(inner string) string {
		return "{\"version\": 1, \"rules\": [\n{\"network\": \"tcp\"},\n{" + inner + "}\n]}"
	}
	for text, want := range map[string]string{
		``:                                            `1: the file ends too early`,
		`[]`:                                          `1: want an object, not a list`,
		"\n5":                                         `2: want an object, not 5`,
		`{"rules": []}`:                               `1: has no version: want one from 1 to 5`,
		`{"version": 0}`:                              `1: version: want one from 1 to 5, not 0`,
		`{"version": 99}`:                             `1: version: want one from 1 to 5, not 99`,
		`{"version": "1"}`:                            `1: version: want one from 1 to 5, not "1"`,
		`{"version": 1, "rule": []}`:                  `1: unknown key "rule": want version and rules`,
		`{"version": 1} x`:                            `1: more text after the end of the rules`,
		"{\"version\": 1,\n\n}":                       `3: invalid character '}'`,
		"{\"version\": 1,\n// x\n}":                   `2: invalid character '/'`,
		"{\"version\": 1,\n\"rules\": [":              `2: rules: the file ends too early`,
		`{"version": 1, "rules": {}}`:                 `1: rules: want a list of rules, not an object`,
		`{"version": 1, "version": 1}`:                `1: key "version" comes twice in one object`,
		`{"version": 1, "rules": ["x"]}`:              `1: rules[0]: want an object, not "x"`,
		rule(``):                                      `3: rules[1]: a rule without conditions`,
		rule(`"ip_cidr": []`):                         `3: rules[1]: a rule without conditions`,
		rule(`"invert": true`):                        `3: rules[1]: a rule without conditions`,
		rule(`"invert": 1`):                           `3: rules[1].invert: want true or false, not 1`,
		rule(`"domian": "a"`):                         `3: rules[1]: unknown key "domian": want domain, domain_suffix,`,
		rule(`"domain_regex": "a"`):                   `3: rules[1]: unknown key "domain_regex": want domain`,
		rule(`"domain": "a", "domain": "b"`):          `3: rules[1]: key "domain" comes twice in one object`,
		rule(`"domain": 5`):                           `3: rules[1].domain: want a string, or a list of them, not 5`,
		rule(`"domain": null`):                        `3: rules[1].domain: want a string, or a list of them, not null`,
		rule(`"domain": {}`):                          `3: rules[1].domain: want a string, or a list of them, not an object`,
		rule(`"domain": ["a", ["b"]]`):                `3: rules[1].domain[1]: want a string, or a list of them, not a list`,
		rule("\"domain\": [\n\"a\",\n\"b c\"\n]"):     `5: rules[1].domain[1]: "b c": a space in a name`,
		rule(`"domain_keyword": ""`):                  `3: rules[1].domain_keyword: an empty keyword`,
		rule(`"ip_cidr": ["10.0.0.0/8", "10/8"]`):     `3: rules[1].ip_cidr[1]: "10/8": want a prefix or an address`,
		rule(`"source_ip_cidr": "10.0.0.0/99"`):       `3: rules[1].source_ip_cidr: "10.0.0.0/99": want a length from 0 to 32`,
		rule(`"port": "80"`):                          `3: rules[1].port: want a number from 1 to 65535, or a list of them, not "80"`,
		rule(`"port": [80, 0]`):                       `3: rules[1].port[1]: want a number from 1 to 65535, or a list of them, not 0`,
		rule(`"port": 8e1`):                           `3: rules[1].port: want a number from 1 to 65535, or a list of them, not 8e1`,
		rule(`"port_range": "2000-3000"`):             `3: rules[1].port_range: "2000-3000": want a range of ports, as 1000:2000`,
		rule(`"port_range": ":"`):                     `3: rules[1].port_range: ":": want a range of ports`,
		rule(`"port_range": "9:1"`):                   `3: rules[1].port_range: "9:1": the range is turned round: want 1:9`,
		rule(`"network": "icmp"`):                     `3: rules[1].network: "icmp": want tcp or udp`,
		rule(`"type": "any"`):                         `3: rules[1].type: want "default" or "logical", not "any"`,
		rule(`"mode": "and", "rules": []`):            `3: rules[1]: rules in a plain rule: want "type": "logical" beside it`,
		rule(`"type": "logical", "port": 1`):          `3: rules[1]: port in a logical rule: want mode and rules there`,
		rule(`"type": "logical", "rules": []`):        `3: rules[1]: a logical rule without mode: want "and" or "or"`,
		rule(`"type": "logical", "mode": "and"`):      `3: rules[1]: a logical rule without rules`,
		rule(`"type": "logical", "mode": "xor"`):      `3: rules[1].mode: want "and" or "or", not "xor"`,
		rule(`"mode": "and", "rules": [{"port": 0}]`): `3: rules[1].rules[0].port: want a number`,
		rule(strings.Repeat(`"rules": [{`, 100)):      `rules within rules, more than 16 deep`,
	} {
		f, err := Parse("s.json", Source, strings.NewReader(text))
		place := new(Error)
		if !errors.As(err, &place) || !strings.HasPrefix(err.Error(), "s.json:"+want) && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%.80s\ngave %v, %+v\nwant %s", text, err, f, want)
		}
	}
}

// values are one or a list of them.
type values[T any] []T

func (v *values[T]) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]T)(v))
	}
	*v = make([]T, 1)
	return json.Unmarshal(b, &(*v)[0])
}

// plainRule is what encoding/json makes of a rule: keys in any case are those in
// lower case, which FuzzSource does not ask for.
type plainRule struct {
	Type     string         `json:"type"`
	Domain   values[string] `json:"domain"`
	Suffix   values[string] `json:"domain_suffix"`
	Keyword  values[string] `json:"domain_keyword"`
	Dest     values[string] `json:"ip_cidr"`
	Source   values[string] `json:"source_ip_cidr"`
	Port     values[uint16] `json:"port"`
	Network  values[string] `json:"network"`
	Invert   bool           `json:"invert"`
	Mode     string         `json:"mode"`
	Rules    []plainRule    `json:"rules"`
	FromPort values[uint16] `json:"source_port"`
}

// agree asserts that a rule has what the oracle read.
func agree(t *testing.T, r Rule, want plainRule) {
	if (r.Mode != Plain) != (want.Type == "logical") || r.Invert != want.Invert || len(r.Rules) != len(want.Rules) {
		t.Fatalf("%+v, want %+v", r, want)
	}
	for i := range r.Rules {
		agree(t, r.Rules[i], want.Rules[i])
	}
	for _, name := range want.Domain {
		if !r.Names.Match(strings.ToLower(strings.TrimSuffix(name, "."))) {
			t.Errorf("%q does not match", name)
		}
	}
	for _, name := range want.Suffix {
		if !r.Names.Match("a." + strings.Trim(strings.ToLower(name), ".")) {
			t.Errorf("suffix %q does not match", name)
		}
	}
	for _, word := range want.Keyword {
		if !r.Names.Match("a" + strings.ToLower(word) + "b") {
			t.Errorf("keyword %q does not match", word)
		}
	}
	for _, port := range want.Port {
		if !r.DestPorts.Contain(port) {
			t.Errorf("port %d is not in it", port)
		}
	}
	for _, port := range want.FromPort {
		if !r.SourcePorts.Contain(port) {
			t.Errorf("source port %d is not in it", port)
		}
	}
	if r.Names.Len() > len(want.Domain)+len(want.Suffix)+len(want.Keyword) || r.Dests.Len() > len(want.Dest) || r.Sources.Len() > len(want.Source) {
		t.Errorf("%+v has more than %+v", r, want)
	}
}

// FuzzSource asserts that what is taken is JSON that encoding/json reads alike, and
// that an error has a place in the text.
func FuzzSource(f *testing.F) {
	f.Add(someSource)
	f.Add(`{"rules": [{"port": 1, "invert": false}], "version": 1}`)
	f.Add(`{"version": 2, "rules": [{"type": "logical", "mode": "and", "rules": [{"domain": "a", "source_port": [7]}]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("s", Source, strings.NewReader(text))
		if err != nil {
			place := new(Error)
			if !errors.As(err, &place) || place.Line < 1 || place.Line > 1+strings.Count(text, "\n") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		var want struct {
			Version int         `json:"version"`
			Rules   []plainRule `json:"rules"`
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "\xef\xbb\xbf")), &want); err != nil {
			t.Fatalf("%q is taken: %v", text, err)
		}
		if len(file.Rules) != len(want.Rules) {
			t.Fatalf("%q: %d rules, want %d", text, len(file.Rules), len(want.Rules))
		}
		for i, r := range file.Rules {
			agree(t, r, want.Rules[i])
		}
	})
}

func TestPorts(t *testing.T) {
	p := PortsOf([]PortRange{{443, 443}, {0, 10}, {8, 20}, {21, 21}, {65000, 65535}, {65535, 65535}})
	if want := (Ports{{0, 21}, {443, 443}, {65000, 65535}}); !slices.Equal(p, want) {
		t.Errorf("%v", p)
	}
	for port, want := range map[uint16]bool{0: true, 21: true, 22: false, 443: true, 444: false, 64999: false, 65000: true, 65535: true} {
		if p.Contain(port) != want {
			t.Errorf("%d: %v", port, !want)
		}
	}
	if !p.Cover(Ports{{1, 20}, {443, 443}}) || p.Cover(Ports{{1, 22}}) || !p.Cover(nil) || Ports(nil).Cover(p) || Ports(nil).Contain(0) {
		t.Error("covers too much, or too little")
	}
}
