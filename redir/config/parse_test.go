package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/redir/inbound"
	"sluice/redir/proxyproto"
	"sluice/redir/resolve"
	"sluice/redir/shape"
	"sluice/redir/source"
)

// testKeys stand for the program's: one of each kind.
func testKeys() []Key {
	return []Key{
		{Name: "udp_timeout", Kind: Duration},
		{Name: "udp_sessions", Kind: Integer},
		{Name: "allow_local", Kind: Bool},
		{Name: "relay", Kind: String, Enum: []string{"auto", "copy", "splice"}},
		{Name: "user", Kind: String},
		{Name: "pipe_size", Kind: Text, Check: func(text string) error {
			if strings.Contains(text, "elephant") {
				return errors.New(`"elephant" is no size`)
			}
			return nil
		}},
		{Object: "rules", Name: "iface", Kind: String, List: true},
		{Object: "rules", Name: "dport", Kind: Text, List: true},
		{Object: "rules", Name: "proto", Kind: String, List: true, Enum: []string{"tcp", "udp"}},
	}
}

func addrPort(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

func TestParseInbounds(t *testing.T) {
	both := addrPort("[::]:12345")
	for name, c := range map[string]struct {
		text string
		want []inbound.Spec
	}{
		"the documents' tproxy": {
			`{"inbounds": [{"type": "tproxy", "tag": "tproxy-in", "listen": "::", "listen_port": 12345,
			  "network": ["tcp", "udp"], "udp_timeout": "5m"}]}`,
			[]inbound.Spec{{Kind: inbound.TProxy, Tag: "tproxy-in", Listen: both, TCP: true, UDP: true, UDPTimeout: 5 * time.Minute}},
		},
		"one inbound alone": {
			`{"type": "redirect", "tag": "redirect-in", "listen": "10.0.0.1", "listen_port": 12345}`,
			[]inbound.Spec{{Kind: inbound.Redirect, Tag: "redirect-in", Listen: addrPort("10.0.0.1:12345"), TCP: true}},
		},
		"only what must be": {
			`{"inbounds": [{"type": "tproxy", "listen_port": 12345}]}`,
			[]inbound.Spec{{Kind: inbound.TProxy, Tag: "tproxy [::]:12345", Listen: both, TCP: true, UDP: true}},
		},
		"network as a string, timeout in seconds": {
			`{"type": "tproxy", "listen_port": 12345, "network": "udp", "udp_timeout": 90, "udp_query_timeout": 9}`,
			[]inbound.Spec{{Kind: inbound.TProxy, Tag: "tproxy [::]:12345", Listen: both, UDP: true, UDPTimeout: 90 * time.Second, UDPQueryTimeout: 9 * time.Second}},
		},
		"a fraction of a second": {
			`{"type": "tproxy", "listen_port": 12345, "udp_timeout": 1.5}`,
			[]inbound.Spec{{Kind: inbound.TProxy, Tag: "tproxy [::]:12345", Listen: both, TCP: true, UDP: true, UDPTimeout: 1500 * time.Millisecond}},
		},
		"a way of its own": {
			`{"type": "tproxy", "listen_port": 12345, "source": "client", "mark": "0x12", "bind_iface": "wan1", "send_proxy": "v2", "client_rate": "125000,1MiB"}`,
			[]inbound.Spec{{Kind: inbound.TProxy, Tag: "tproxy [::]:12345", Listen: both, TCP: true, UDP: true,
				Source: source.Source{Kind: source.Client}, Mark: 0x12, Device: "wan1", SendProxy: proxyproto.SendV2, ClientRate: shape.Limit{Up: 125000, Down: 1 << 20}}},
		},
		"a forward": {
			`{"inbounds": [{"type": "direct", "listen": "222.173.190.239", "listen_port": 51966, "override_address": "backend.example", "override_port": 80},
			               {"type": "direct", "listen_port": 53, "network": "udp", "override_address": "::ffff:10.0.0.5"}]}`,
			[]inbound.Spec{
				{Kind: inbound.Direct, Tag: "direct 222.173.190.239:51966", Listen: addrPort("222.173.190.239:51966"), TCP: true, UDP: true,
					Dest: resolve.Target{Host: "backend.example", Port: 80}},
				{Kind: inbound.Direct, Tag: "direct [::]:53", Listen: addrPort("[::]:53"), UDP: true, Dest: resolve.Target{Host: "10.0.0.5", Port: 53}},
			},
		},
		"interfaces of its own": {
			`{"inbounds": [{"type": "tproxy", "listen_port": 12345, "iface": "lan1"}, {"type": "tproxy", "listen_port": 12346, "iface": ["lan2", "ppp*"]}]}`,
			[]inbound.Spec{{Kind: inbound.TProxy, Tag: "tproxy [::]:12345", Listen: both, TCP: true, UDP: true, Ifaces: "lan1"},
				{Kind: inbound.TProxy, Tag: "tproxy [::]:12346", Listen: addrPort("[::]:12346"), TCP: true, UDP: true, Ifaces: "lan2,ppp*"}},
		},
		"one port, a network each": {
			`{"inbounds": [{"type": "tproxy", "listen_port": 12345, "network": "udp"},
			               {"type": "redirect", "listen_port": 12345}]}`,
			[]inbound.Spec{
				{Kind: inbound.TProxy, Tag: "tproxy [::]:12345", Listen: both, UDP: true},
				{Kind: inbound.Redirect, Tag: "redirect [::]:12345", Listen: both, TCP: true},
			},
		},
		"v4-mapped": {
			`{"type": "redirect", "listen": "::ffff:10.0.0.1", "listen_port": 1}`,
			[]inbound.Spec{{Kind: inbound.Redirect, Tag: "redirect 10.0.0.1:1", Listen: addrPort("10.0.0.1:1"), TCP: true}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Parse("f.json", []byte(c.text), testKeys())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(f.Inbounds, c.want) {
				t.Errorf("got  %+v\nwant %+v", f.Inbounds, c.want)
			}
		})
	}
}

func TestParseSettings(t *testing.T) {
	text := `{
	"udp_timeout": 300, "udp_sessions": 1000, "allow_local": true, "relay": "copy", "pipe_size": 65536,
	"rules": {"iface": "lan0", "dport": [443, "8000-8999"], "proto": []}}`
	f, err := Parse("f.json", []byte(text), testKeys())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"udp_timeout": {"5m"}, "udp_sessions": {"1000"}, "allow_local": {"true"}, "relay": {"copy"},
		"pipe_size": {"65536"}, "rules.iface": {"lan0"}, "rules.dport": {"443", "8000-8999"}, "rules.proto": {},
	}
	for _, k := range testKeys() {
		texts, ok := f.Setting(k)
		if wanted, given := want[k.Path()]; ok != given || !reflect.DeepEqual(texts, wanted) {
			t.Errorf("%s: %q, %v, want %q, %v", k.Path(), texts, ok, wanted, given)
		}
	}
}

// TestErrors has every error text; the place is where an editor should jump.
func TestErrors(t *testing.T) {
	inbound := func(members string) string {
		return `{"inbounds": [` + "\n" + `{"listen_port": 12345, ` + members + `}]}`
	}
	for _, c := range []struct{ text, want string }{
		// not JSON
		{"", `1:1: the file is empty`},
		{" \n ", `1:1: the file is empty`},
		{`{"inbounds": [`, `1:15: the file ends in the middle of a value`},
		{"# sluice\n{}", `1:1: a comment begins with // or stands between /* and */`},
		{"{} /* end", `1:4: nothing ends the comment that begins here: it ends with */`},
		{`{"rules": {"dport": [1,, 2]}}`, `1:24: invalid character ',' at start of value`},
		{"{\"user\": \"a\"\n\"relay\": \"copy\"}", `1:13: a comma is missing here, or a colon`},
		{`{'user': 'a'}`, `1:2: texts and keys stand in double quotes, as "listen_port"`},
		{`{"user" = "a"}`, `1:9: a key and its value have a colon between them`},
		{`{"relay": copy}`, `1:11: copy: what is no number, true, false or null stands in double quotes, as "copy"`},
		{`{"mark": 0xff}`, `1:10: 0xff: what is no number, true, false or null stands in double quotes, as "0xff"`},
		{"\xff\xfe{\x00}\x00", `1:1: the file is UTF-16: save it as UTF-8`},
		{"{\"user\": \"M\xfcller\"}", `1:12: the byte 0xfc is not UTF-8: save the file as UTF-8`},
		{"\ufeff", `1:1: the file is empty`},
		{strings.Repeat("[", 1<<20), `1:1001: more than 1000 brackets are open here`},
		{strings.Repeat(`{"a":`, 1<<18), `1:5001: more than 1000 brackets are open here`},
		{`{"udp_sessions" 5}`, `1:16: a comma is missing here, or a colon`},
		{"{\"user\": \"\t\"}", `1:11: '\t' in a text: the text ends on its line, and holds this as an escape`},
		{"{}\n{}", `2:1: more text after the end of the configuration`},
		{`{}}`, `1:3: more text after the end of the configuration`},

		// objects and keys
		{`[]`, `1:1: want an object, not a list`},
		{`"x"`, `1:1: want an object, not "x"`},
		{`{"udp_timeot": 5}`, `1:2: unknown key "udp_timeot"; the nearest known one is "udp_timeout"`},
		{`{"outbound": []}`, `1:2: unknown key "outbound"; the nearest known one is "outbounds"`},
		{`{"rules":` + "\n\t" + `{"ifaces": 5}}`, `2:3: rules: unknown key "ifaces"; the nearest known one is "iface"`},
		{`{"rules": "lan0"}`, `1:11: rules: want an object, not "lan0"`},
		{`{"user": "ü", "usr": 1}`, `1:15: unknown key "usr"; the nearest known one is "user"`},
		{`{"udp_sessions": 5, "udp_sessions": 6}`, `1:21: key "udp_sessions" comes twice in one object`},
		{inbound(`"type": "tproxy", "type": "tproxy"`), `2:42: key "type" comes twice in one object`},

		// settings
		{`{"udp_timeout": "5x"}`, `1:17: udp_timeout: want a time as "5m", or a number of seconds, not "5x"`},
		{`{"udp_timeout": true}`, `1:17: udp_timeout: want a time as "5m", or a number of seconds, not true`},
		{`{"udp_timeout": 1e300}`, `1:17: udp_timeout: want a time as "5m", or a number of seconds, not 1e300`},
		{`{"udp_sessions": "five"}`, `1:18: udp_sessions: want a whole number, not "five"`},
		{`{"udp_sessions": 1.5}`, `1:18: udp_sessions: want a whole number, not 1.5`},
		{`{"udp_sessions": [5]}`, `1:18: udp_sessions: want a whole number, not a list`},
		{`{"rules": {"iface": ["` + strings.Repeat("x", 1<<20) + `"]}}`, `1:22: rules.iface: 1048576 bytes in one value: want 4096 at most, beginning "xxxxxxxxxxxxxxxxxxxx"`},
		{`{"allow_local": "maybe"}`, `1:17: allow_local: want true or false, not "maybe"`},
		{`{"allow_local": null}`, `1:17: allow_local: want true or false, not null`},
		{`{"relay": "fast"}`, `1:11: relay: want "auto", "copy" or "splice", not "fast"`},
		{`{"user": 5}`, `1:10: user: want a string, not 5`},
		{`{"pipe_size": {}}`, `1:15: pipe_size: want a string or a number, not an object`},
		{`{"pipe_size": "elephant"}`, `1:15: pipe_size: "elephant" is no size`},
		{`{"rules": {"iface": ["a", 5]}}`, `1:27: rules.iface: want a string, or a list of them, not 5`},
		{`{"rules": {"proto": ["tcp", "icmp"]}}`, `1:29: rules.proto: want "tcp" or "udp", or a list of them, not "icmp"`},

		// inbounds
		{`{"inbounds": {}}`, `1:14: inbounds: want a list of objects, not an object`},
		{`{"inbounds": ["x"]}`, `1:15: inbounds[0]: want an object, not "x"`},
		{inbound(`"port": 1`), `2:24: inbounds[0]: unknown key "port"; sluice calls it "listen_port"`},
		{inbound(`"tag": "x"`), `2:1: inbounds[0]: has no "type": want "redirect", "tproxy" or "direct"`},
		{inbound(`"type": "mixed"`), `2:32: inbounds[0].type: sluice has no mixed inbounds: it takes what the kernel diverts, and speaks no proxy's protocol with clients; want "redirect", "tproxy" or "direct"`},
		{`{"type": "tproxy", "listen": "::"}`, `1:1: has no "listen_port"`},
		{`{"type": "tproxy", "listen_port": 0}`, `1:35: listen_port: want a number from 1 to 65535, not 0`},
		{`{"type": "tproxy", "listen_port": 65536}`, `1:35: listen_port: want a number from 1 to 65535, not 65536`},
		{`{"type": "tproxy", "listen_port": "http"}`, `1:35: listen_port: want a number from 1 to 65535, not "http"`},
		{inbound(`"type": "tproxy", "listen": "localhost"`), `2:52: inbounds[0].listen: want an IP address, as "::" for both families, not "localhost"`},
		{inbound(`"type": "tproxy", "listen": 5`), `2:52: inbounds[0].listen: want an IP address, as "::" for both families, not 5`},
		{inbound(`"type": "tproxy", "listen": "fe80::1%eth0"`), `2:52: inbounds[0].listen: an address with a zone cannot be listened on; leave %eth0 out`},
		{inbound(`"type": "tproxy", "network": "tcp,udp"`), `2:53: inbounds[0].network: want "tcp", "udp" or a list of both, not "tcp,udp"`},
		{inbound(`"type": "tproxy", "network": []`), `2:53: inbounds[0].network: want "tcp", "udp" or a list of both, not an empty list`},
		{inbound(`"type": "redirect", "network": ["tcp", "udp"]`), `2:63: inbounds[0].network: REDIRECT carries TCP only; use a tproxy inbound for UDP`},
		{inbound(`"type": "tproxy", "udp_timeout": 0`), `2:57: inbounds[0].udp_timeout: want a time from 1ms to 365d, not 0`},
		{inbound(`"type": "tproxy", "udp_timeout": "soon"`), `2:57: inbounds[0].udp_timeout: want a time as "5m", or a number of seconds, not "soon"`},
		{inbound(`"type": "tproxy", "udp_query_timeout": 0`), `2:63: inbounds[0].udp_query_timeout: want a time from 1ms to 365d, not 0`},
		{inbound(`"type": "tproxy", "source": "me"`), `2:52: inbounds[0].source: source "me": want gateway, client, client-address or an address, as 203.0.113.5 or 203.0.113.5,2001:db8::5`},
		{inbound(`"type": "tproxy", "mark": 0`), `2:50: inbounds[0].mark: want a mark other than 0, as 18 or "0x12", not 0`},
		{inbound(`"type": "tproxy", "bind_iface": 1`), `2:56: inbounds[0].bind_iface: want the name of an interface, not 1`},
		{inbound(`"type": "tproxy", "send_proxy": "v3"`), `2:56: inbounds[0].send_proxy: want "off", "v1", "v2" or "v2+udp", not "v3"`},
		{inbound(`"type": "tproxy", "client_rate": 100`), `2:57: inbounds[0].client_rate: "100": bytes a second want two values, from the client and to it, as 1MiB,8MiB or off,1MiB; new connections a second are --client-connects now`},
		{inbound(`"type": "tproxy", "client_rate": "1,off"`), `2:57: inbounds[0].client_rate: "1,off": 1 bytes a second are less than a packet; want 1000 at least, or off`},
		{inbound(`"type": "tproxy", "send_proxy": 2`), `2:56: inbounds[0].send_proxy: want "off", "v1", "v2" or "v2+udp", not 2; the nearest is "v2"`},
		{inbound(`"type": "tproxy", "override_address": "10.0.0.5"`), `2:62: inbounds[0].override_address: tproxy inbounds carry traffic to where it was going: only direct ones lead elsewhere`},
		{inbound(`"type": "redirect", "override_port": 80`), `2:61: inbounds[0].override_port: redirect inbounds carry traffic to where it was going: only direct ones lead elsewhere; see the key map`},
		{inbound(`"type": "direct"`), `2:1: inbounds[0]: has no "override_address": want the address or the name that it leads to`},
		{inbound(`"type": "direct", "override_address": "10.0.0.256"`), `2:62: inbounds[0].override_address: want an address or a name, as "10.0.0.5" or "backend.example", not "10.0.0.256": no address, though it ends in a number as one`},
		{inbound(`"type": "direct", "override_address": "::"`), `2:62: inbounds[0].override_address: want an address or a name, as "10.0.0.5" or "backend.example", not "::": no host has this address`},
		{inbound(`"type": "direct", "override_address": "a", "override_port": 0`), `2:84: inbounds[0].override_port: want a number from 1 to 65535, not 0`},
		{inbound(`"type": "tproxy", "iface": ""`), `2:51: inbounds[0].iface: want the name of an interface, a pattern as ppp*, or a list of them, not ""`},
		{inbound(`"type": "tproxy", "iface": []`), `2:51: inbounds[0].iface: want the name of an interface, a pattern as ppp*, or a list of them, not an empty list`},
		{inbound(`"type": "tproxy", "iface": ["lan", 1]`), `2:59: inbounds[0].iface: want the name of an interface, a pattern as ppp*, or a list of them, not 1`},
		{inbound(`"type": "tproxy", "tag": ""`), `2:49: inbounds[0].tag: want a name, not ""`},
		{
			`{"inbounds": [{"type": "tproxy", "tag": "a", "listen_port": 1},` + "\n" + ` {"type": "tproxy", "tag": "a", "listen_port": 2}]}`,
			`2:2: inbounds[1]: its tag "a" is that of inbounds[0]`,
		},
		{
			`{"inbounds": [{"type": "tproxy", "listen_port": 1},` + "\n" + ` {"type": "redirect", "listen": "0.0.0.0", "listen_port": 1}]}`,
			`2:2: inbounds[1]: listens where inbounds[0] does: redirect 0.0.0.0:1`,
		},
	} {
		f, err := Parse("f.json", []byte(c.text), testKeys())
		if err == nil {
			t.Errorf("%s\ngave %+v", c.text, f)
		} else if got := err.Error(); got != "f.json:"+c.want {
			t.Errorf("%s\ngot  %s\nwant f.json:%s", c.text, got, c.want)
		}
		if place := new(Error); err != nil && !errors.As(err, &place) {
			t.Errorf("%s: %T", c.text, err)
		}
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none.json")
	if _, err := Read([]string{missing}, nil); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Read([]string{"/dev/zero"}, nil); err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
		t.Errorf("endless file: %v", err)
	}
	path := filepath.Join(dir, "f.json")
	if err := os.WriteFile(path, []byte(`{"inbounds": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Read([]string{path}, testKeys()); err != nil || len(f.Inbounds) != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}
