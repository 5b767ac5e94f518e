package config

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/redir/outbound"
	"sluice/redir/resolve"
	"sluice/redir/source"
)

// outboundsFile has every key.
const outboundsFile = `{"outbounds": [
	{"type": "socks", "tag": "proxy", "server": "Proxy.example", "server_port": 1080, "version": "5", "username": "joe", "password": "env:PROXY_PASSWORD",
	 "bind_interface": "wan1", "routing_mark": "0x12", "inet4_bind_address": "203.0.113.5", "inet6_bind_address": "2001:db8::5", "connect_timeout": "5s", "fallback": "direct"},
	{"type": "http", "server": "2001:db8::7", "server_port": 3128, "username": "joe", "password_file": "secret", "mark": 18, "bind_iface": "wan2", "source": "203.0.113.5"},
	{"type": "direct"},
	{"type": "block", "tag": "silent", "method": "drop"},
	{"type": "block", "method": "reset"},
	{"type": "forward"},
	{"type": "urltest", "tag": "fastest", "outbounds": ["proxy", "direct"], "url": "http://test.example/", "interval": "1m", "tolerance": 20, "fallback": "block"},
	{"type": "urltest", "outbounds": "direct"}
]}`

func TestOutbounds(t *testing.T) {
	f, err := Parse("dir/f.json", []byte(outboundsFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	v4 := netip.MustParseAddr("203.0.113.5")
	want := []outbound.Spec{
		{Kind: outbound.Socks, Tag: "proxy", Server: resolve.Target{Host: "proxy.example", Port: 1080}, User: "joe", PasswordEnv: "PROXY_PASSWORD",
			Device: "wan1", Mark: 0x12, Source: source.Source{Kind: source.Address, IPv4: v4, IPv6: netip.MustParseAddr("2001:db8::5")}, ConnectTimeout: 5 * time.Second, Fallback: "direct"},
		{Kind: outbound.HTTP, Tag: "http [2001:db8::7]:3128", Server: resolve.Target{Host: "2001:db8::7", Port: 3128}, User: "joe", PasswordFile: "dir/secret",
			Device: "wan2", Mark: 18, Source: source.Source{Kind: source.Address, IPv4: v4}},
		{Kind: outbound.Direct, Tag: "direct"},
		{Kind: outbound.Block, Tag: "silent", Silent: true},
		{Kind: outbound.Block, Tag: "block"},
		{Kind: outbound.Forward, Tag: "forward"},
		{Kind: outbound.Group, Tag: "fastest", Members: []string{"proxy", "direct"}, Test: "http://test.example/", Interval: time.Minute, Tolerance: 20 * time.Millisecond, Fallback: "block"},
		{Kind: outbound.Group, Tag: "urltest", Members: []string{"direct"}, Test: outbound.DefaultTest, Interval: 3 * time.Minute, Tolerance: 50 * time.Millisecond},
	}
	if !reflect.DeepEqual(f.Outbounds, want) {
		t.Errorf("got\n%+v\nwant\n%+v", f.Outbounds, want)
	}
	printed := Config{Outbounds: want}.Print()
	again, err := Parse("f.json", printed, nil)
	want[1].PasswordFile = "dir/secret"
	if err != nil || !reflect.DeepEqual(again.Outbounds, want) {
		t.Errorf("%v: printed\n%s\ngot\n%+v", err, printed, again)
	}
}

// TestDirectIsImplied: what names it need not declare it, and it changes nothing of what
// does not.
func TestDirectIsImplied(t *testing.T) {
	f, err := Parse("f.json", []byte(`{"outbounds": [
		{"type": "socks", "tag": "s", "server": "192.0.2.7", "server_port": 1080, "fallback": "direct"},
		{"type": "urltest", "tag": "u", "outbounds": ["s", "direct"]}
	], "route": {"rules": [{"port": 22, "outbound": "direct"}], "final": "direct"}}`), nil)
	if err != nil || len(f.Outbounds) != 2 {
		t.Errorf("%v: %+v", err, f)
	}
}

// TestPasswordsDoNotShow asserts it of all that is printed of a file that holds one.
func TestPasswordsDoNotShow(t *testing.T) {
	const text = `{"outbounds": [{"type": "socks", "tag": "s", "server": "192.0.2.7", "server_port": 1080, "username": "joe", "password": "mystery"}]}`
	f, err := Parse("f", []byte(text), nil)
	if err != nil || f.Outbounds[0].Password != "mystery" {
		t.Fatalf("%v, %v", err, f)
	}
	c, changed := Config{Outbounds: f.Outbounds}, Config{Outbounds: []outbound.Spec{f.Outbounds[0]}}
	changed.Outbounds[0].Password = "puzzle"
	printed := string(c.Print())
	for _, shown := range []string{printed, strings.Join(c.Changes(changed), ""), fmt.Sprintf("%v %+v %#v %q", f, f, f.Outbounds, f.Outbounds[0].Password)} {
		if strings.Contains(shown, "mystery") || strings.Contains(shown, "puzzle") {
			t.Errorf("it shows in %s", shown)
		}
	}
	if got := c.Changes(changed); !reflect.DeepEqual(got, []string{"outbound s has another password"}) {
		t.Errorf("changes: %q", got)
	}
	if !strings.Contains(printed, `"password": "***"`) {
		t.Errorf("printed %s", printed)
	}
	if _, err := Parse("f", []byte(printed), nil); err == nil || !strings.Contains(err.Error(), "is what --print-config shows instead of a password") {
		t.Errorf("what is printed is taken: %v", err)
	}
}

func TestOutboundChanges(t *testing.T) {
	a, b, c := outbound.Spec{Tag: "a"}, outbound.Spec{Kind: outbound.Block, Tag: "b"}, outbound.Spec{Tag: "c", Mark: 2}
	for _, o := range []struct {
		before, next []outbound.Spec
		want         []string
	}{
		{nil, nil, nil},
		{[]outbound.Spec{a, b}, []outbound.Spec{a, b}, nil},
		{[]outbound.Spec{a, b}, []outbound.Spec{b, a}, []string{"the first outbound is b"}},
		{[]outbound.Spec{a}, []outbound.Spec{b}, []string{"outbound a is gone", `new outbound b: {"type": "block", "tag": "b"}`}},
		{[]outbound.Spec{c}, []outbound.Spec{{Tag: "c"}}, []string{`outbound c: {"type": "direct", "tag": "c", "mark": "0x2"} -> {"type": "direct", "tag": "c"}`}},
	} {
		if got := (Config{Outbounds: o.before}).Changes(Config{Outbounds: o.next}); !reflect.DeepEqual(got, o.want) {
			t.Errorf("got %q, want %q", got, o.want)
		}
	}
}

// TestOutboundErrors has every error text.
func TestOutboundErrors(t *testing.T) {
	one := func(text string) string { return `{"outbounds": [{` + text + `}]}` }
	socks := func(text string) string {
		return one(`"type": "socks", "tag": "s", "server": "192.0.2.7", "server_port": 1080, ` + text)
	}
	for _, c := range []struct{ text, want string }{
		{`{"outbounds": {}}`, `1:15: outbounds: want a list of objects, not an object`},
		{`{"outbounds": [1]}`, `1:16: outbounds[0]: want an object, not 1`},
		{one(`"tag": "x"`), `1:16: outbounds[0]: has no "type": want "direct", "block", "socks", "http", "forward" or "urltest"`},
		{one(`"type": "vmess"`), `1:25: outbounds[0].type: sluice has no vmess outbounds: want "direct", "block", "socks", "http", "forward" or "urltest"; a program that speaks it can be a socks outbound's server`},
		{one(`"type": "sock"`), `1:25: outbounds[0].type: want "direct", "block", "socks", "http", "forward" or "urltest", not "sock"; the nearest is "socks"`},
		{socks(`"usrname": "x"`), `1:90: outbounds[0]: unknown key "usrname"; the nearest known one is "username"`},
		{socks(`"tls": {}`), `1:90: outbounds[0]: sluice has no "tls" of outbounds: a program such as stunnel can speak it to the server`},
		{socks(`"udp_over_tcp": true`), `1:90: outbounds[0]: sluice has no "udp_over_tcp" of outbounds: leave it out`},
		{one(`"type": "http", "network": "udp"`), `1:33: outbounds[0]: sluice has no "network" of outbounds: an HTTP proxy carries TCP alone, and UDP that is led there is refused`},
		{one(`"type": "direct", "server": "x"`), `1:35: outbounds[0]: direct outbounds have no "server": only those of the type "socks" or "http" do`},
		{one(`"type": "direct", "fallback": "x"`), `1:35: outbounds[0]: direct outbounds have no "fallback": only those of the type "socks", "http" or "urltest" do`},
		{socks(`"version": "4a"`), `1:101: outbounds[0].version: sluice speaks SOCKS5 only: want "5" or nothing, not "4a", and the port where the server speaks it`},
		{one(`"type": "socks", "tag": "s"`), `1:16: outbounds[0]: server: none: want the address or the name of the proxy, as 192.0.2.7 or proxy.example`},
		{one(`"type": "socks", "server": "http://x"`), `1:44: outbounds[0].server: want an address or a name, as "192.0.2.7" or "proxy.example", not "http://x": neither an address nor a name`},
		{one(`"type": "socks", "server": "x", "server_port": 0`), `1:64: outbounds[0].server_port: want a number from 1 to 65535, not 0`},
		{socks(`"password": "mystery"`), `1:16: outbounds[0]: username: none, but there is a password: name both`},
		{socks(`"username": "x", "password": 5`), `1:119: outbounds[0].password: want a string, as "env:NAME", which names a variable`},
		{socks(`"username": "x", "password": "env:"`), `1:119: outbounds[0].password: "env:NAME" names a variable, as "env:PROXY_PASSWORD"`},
		{socks(`"username": "x", "password": "y", "password_file": "z"`), `1:119: outbounds[0].password: it comes twice: name password or password_file`},
		{socks(`"mark": 1, "routing_mark": 1`), `1:98: outbounds[0].mark: it comes twice: "routing_mark" means the same`},
		{socks(`"routing_mark": 0`), `1:106: outbounds[0].routing_mark: want a mark other than 0, as 18 or "0x12", not 0`},
		{socks(`"source": "client"`), `1:100: outbounds[0].source: client: a server answers who asks it, and knows its users by their address: name an address of the gateway, or leave it out`},
		{socks(`"source": "192.0.2.1", "inet4_bind_address": "192.0.2.1"`), `1:135: outbounds[0].inet4_bind_address: it comes twice: "source" means the same, as "203.0.113.5,2001:db8::5"`},
		{socks(`"inet4_bind_address": "2001:db8::1"`), `1:112: outbounds[0].inet4_bind_address: want an address of its family, not "2001:db8::1"`},
		{socks(`"fallback": "x"`), `1:102: outbounds[0].fallback: no outbound has the tag "x"; there are s, direct`},
		{one(`"type": "block", "method": "tarpit"`), `1:44: outbounds[0].method: want "reset" or "drop", not "tarpit"`},
		{one(`"type": "urltest", "tag": "u", "outbounds": ["u", "v"]`), `1:67: outbounds[0].outbounds[1]: no outbound has the tag "v"; there are u, direct`},
		{one(`"type": "urltest", "tag": "u", "outbounds": ["u"]`), `1:16: outbounds[0]: it leads back to itself: u -> u; name others`},
		{one(`"type": "urltest", "outbounds": [1]`), `1:50: outbounds[0].outbounds[0]: want the tag of an outbound, not 1`},
		{one(`"type": "urltest", "outbounds": ["u"], "url": "ftp://x"`), `1:63: outbounds[0].url: "ftp://x": want http://HOST[:PORT]/PATH, which is asked for, or HOST:PORT or https://HOST, which is connected to`},
		{one(`"type": "urltest", "tolerance": "x"`), `1:49: outbounds[0].tolerance: want a number of milliseconds, or a time as "50ms", not "x"`},
		{one(`"type": "direct"}, {"type": "direct"`), `1:36: outbounds[1]: its tag "direct" is that of outbounds[0]; give it another`},
	} {
		f, err := Parse("f.json", []byte(c.text), nil)
		switch {
		case err == nil:
			t.Errorf("%s\ngave %+v", c.text, f)
		case err.Error() != "f.json:"+c.want:
			t.Errorf("%s\ngot  %s\nwant f.json:%s", c.text, err, c.want)
		case !errors.As(err, new(*Error)):
			t.Errorf("%s: %T", c.text, err)
		case strings.Contains(err.Error(), "mystery"):
			t.Errorf("%s shows a password", err)
		}
	}
}
