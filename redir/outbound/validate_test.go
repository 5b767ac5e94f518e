package outbound

import (
	"errors"
	"strings"
	"testing"
	"time"

	"sluice/redir/resolve"
	"sluice/redir/source"
)

// proxy is a socks outbound with a tag.
func proxy(tag string, more ...func(*Spec)) Spec {
	s := Spec{Kind: Socks, Tag: tag, Server: resolve.Target{Host: "192.0.2.7", Port: 1080}}
	for _, change := range more {
		change(&s)
	}
	return s
}

func group(tag string, members ...string) Spec {
	return Spec{Kind: Group, Tag: tag, Members: members, Test: DefaultTest, Interval: DefaultInterval, Tolerance: DefaultTolerance}
}

func fallback(tag string) func(*Spec) { return func(s *Spec) { s.Fallback = tag } }

func TestValidate(t *testing.T) {
	plain, block := Spec{Kind: Direct, Tag: "d"}, Spec{Kind: Block, Tag: "b"}
	forward := Spec{Kind: Forward, Tag: "f"}
	for _, c := range []struct {
		specs []Spec
		want  string // in the error; "": none
	}{
		{nil, ""},
		{[]Spec{plain, block, forward, proxy("s", fallback("d")), group("g", "s", "d")}, ""},
		{[]Spec{group("outer", "inner", "s"), group("inner", "s", "d"), proxy("s"), plain}, ""},
		{[]Spec{proxy("s", fallback("direct")), group("g", "s", "direct")}, ""}, // which is implied
		{[]Spec{proxy("s", fallback("direct")), group("direct", "s")}, "it leads back to itself: s -> direct -> s"},
		{[]Spec{{Kind: Direct}}, "tag: empty"},
		{[]Spec{{Kind: Direct, Tag: "(reject)"}}, "rules that reject lead to"},
		{[]Spec{plain, proxy("d")}, `outbound "d": tag: it is that of the outbound before, direct`},
		{[]Spec{{Kind: Socks, Tag: "s"}}, "server: none: want the address"},
		{[]Spec{{Kind: HTTP, Tag: "h", Server: resolve.Target{Host: "p.example"}}}, "server_port: none"},
		{[]Spec{{Kind: Direct, Tag: "d", User: "u"}}, "only socks and http outbounds"},
		{[]Spec{proxy("s", func(s *Spec) { s.Password = "p" })}, "username: none"},
		{[]Spec{proxy("s", func(s *Spec) { s.User, s.Password, s.PasswordFile = "u", "p", "/f" })}, "password: it comes twice"},
		{[]Spec{proxy("s", func(s *Spec) { s.User = strings.Repeat("u", 256) })}, "at most 255 bytes"},
		{[]Spec{proxy("s", func(s *Spec) { s.Source.Kind = source.Client })}, "source: client: a server answers who asks it"},
		{[]Spec{proxy("s", func(s *Spec) { s.Device = strings.Repeat("x", 16) })}, "bind_interface: interface"},
		{[]Spec{proxy("s", func(s *Spec) { s.ConnectTimeout = -1 })}, "connect_timeout: -1ns: must be"},
		{[]Spec{{Kind: Block, Tag: "b", Mark: 1}}, "block outbounds dial nothing"},
		{[]Spec{plain, func() Spec { g := group("g", "d"); g.Mark = 1; return g }()}, "or put them into its members"},
		{[]Spec{proxy("s", fallback("x"))}, `fallback: no outbound has the tag "x"; there are s, direct`},
		{[]Spec{proxy("s", fallback("s"))}, "fallback: it names itself"},
		{[]Spec{proxy("s", fallback("f")), forward}, "to which the kernel gives what never comes here"},
		{[]Spec{{Kind: Direct, Tag: "d", Fallback: "b"}, block}, "direct outbounds have no server that could be out of reach"},
		{[]Spec{proxy("1", fallback("2")), proxy("2", fallback("3")), proxy("3", fallback("1"))}, "it leads back to itself: 1 -> 2 -> 3 -> 1"},
		{[]Spec{proxy("s", fallback("g")), group("g", "s")}, "it leads back to itself: s -> g -> s"},
		{[]Spec{group("g")}, "outbounds: none"},
		{[]Spec{group("g", "g")}, "it leads back to itself: g -> g"},
		{[]Spec{group("g", "x")}, `outbounds[0]: no outbound has the tag "x"`},
		{[]Spec{group("g", "d", "d"), plain}, `outbounds[1]: "d" comes twice`},
		{[]Spec{group("g", "d", "b"), plain, block}, "cannot be tested"},
		{[]Spec{plain, func() Spec { g := group("g", "d"); g.Interval = time.Millisecond; return g }()}, "interval: 1ms"},
		{[]Spec{plain, func() Spec { g := group("g", "d"); g.Tolerance = -1; return g }()}, "tolerance: -1ns"},
		{[]Spec{plain, func() Spec { g := group("g", "d"); g.Test = "x"; return g }()}, "url: \"x\": want http://HOST"},
		{[]Spec{{Kind: Direct, Tag: "d", Members: []string{"d"}}}, "only urltest outbounds have members"},
	} {
		err := Validate(c.specs)
		switch {
		case c.want == "" && err != nil:
			t.Error(err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v, want %q in it", err, c.want)
		case c.want != "" && !errors.As(err, new(*Fault)):
			t.Errorf("%T", err)
		}
	}
}

func TestParseTest(t *testing.T) {
	for text, want := range map[string]Test{
		"https://www.gstatic.com/generate_204": {Target: resolve.Target{Host: "www.gstatic.com", Port: 443}},
		"https://[2001:db8::1]:8443":           {Target: resolve.Target{Host: "2001:db8::1", Port: 8443}},
		"192.0.2.1:53":                         {Target: resolve.Target{Host: "192.0.2.1", Port: 53}},
		"[2001:db8::1]:53":                     {Target: resolve.Target{Host: "2001:db8::1", Port: 53}},
		"name.example:53":                      {Target: resolve.Target{Host: "name.example", Port: 53}},
		"http://Name.example": {Target: resolve.Target{Host: "name.example", Port: 80},
			Request: "GET / HTTP/1.1\r\nHost: Name.example\r\nUser-Agent: sluice\r\nConnection: close\r\n\r\n"},
		"http://192.0.2.1:8080/a?b": {Target: resolve.Target{Host: "192.0.2.1", Port: 8080},
			Request: "GET /a?b HTTP/1.1\r\nHost: 192.0.2.1:8080\r\nUser-Agent: sluice\r\nConnection: close\r\n\r\n"},
	} {
		if got, err := ParseTest(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "name.example", "192.0.2.1", "ftp://a.example/", "http://", "http://u:p@a.example/", "http://a.example:0/", "http://a.example:70000/", "a b:1"} {
		if got, err := ParseTest(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
