package config

import (
	"net/netip"
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

func testConfig() Config {
	values := map[string][]string{
		"udp_timeout": {"5m"}, "udp_sessions": {"65536"}, "allow_local": {"false"}, "relay": {"auto"},
		"user": {`a "quoted" <name>`}, "rules.iface": {"lan0", "lan1"}, "rules.dport": {"443"},
	}
	c := Config{Inbounds: []inbound.Spec{
		{Kind: inbound.TProxy, Tag: "tproxy-in", Listen: addrPort("[::]:12345"), TCP: true, UDP: true, UDPTimeout: 2 * time.Hour, UDPQueryTimeout: time.Minute,
			Ifaces: "lan0,ppp*", Source: source.Source{Kind: source.Address, IPv4: netip.MustParseAddr("203.0.113.5"), IPv6: netip.MustParseAddr("2001:db8::5")}, Mark: 0x12, Device: "wan1", SendProxy: proxyproto.SendV1, ClientRate: shape.Limit{Up: 1 << 20, Down: shape.Off}},
		{Kind: inbound.Redirect, Tag: "redirect-in", Listen: addrPort("10.0.0.1:12346"), TCP: true},
		{Kind: inbound.Direct, Tag: "web", Listen: addrPort("222.173.190.239:51966"), TCP: true, UDP: true, Dest: resolve.Target{Host: "backend.example", Port: 80}},
	}}
	for _, k := range testKeys() {
		c.Settings = append(c.Settings, Setting{k, values[k.Path()]})
	}
	return c
}

func TestPrint(t *testing.T) {
	const want = `{
  "inbounds": [
    {"type": "tproxy", "tag": "tproxy-in", "listen": "::", "listen_port": 12345, "network": ["tcp", "udp"], "udp_timeout": "2h", "udp_query_timeout": "1m", "iface": ["lan0", "ppp*"], "source": "203.0.113.5,2001:db8::5", "mark": "0x12", "bind_iface": "wan1", "send_proxy": "v1", "client_rate": "1MiB,off"},
    {"type": "redirect", "tag": "redirect-in", "listen": "10.0.0.1", "listen_port": 12346, "network": ["tcp"]},
    {"type": "direct", "tag": "web", "listen": "222.173.190.239", "listen_port": 51966, "network": ["tcp", "udp"], "override_address": "backend.example", "override_port": 80}
  ],
  "udp_timeout": "5m",
  "udp_sessions": 65536,
  "allow_local": false,
  "relay": "auto",
  "user": "a \"quoted\" <name>",
  "rules": {
    "iface": ["lan0", "lan1"],
    "dport": ["443"],
    "proto": []
  }
}
`
	if got := string(testConfig().Print()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestPrintedFileGivesTheSame(t *testing.T) {
	c := testConfig()
	f, err := Parse("printed", c.Print(), testKeys())
	if err != nil {
		t.Fatal(err)
	}
	if again := f.config(); string(again.Print()) != string(c.Print()) {
		t.Errorf("got\n%s\nwant\n%s", again.Print(), c.Print())
	}
}

// config is what the file alone says.
func (f *File) config() Config {
	c := Config{Inbounds: f.Inbounds, Outbounds: f.Outbounds, Route: f.Route}
	for _, k := range testKeys() {
		texts, _ := f.Setting(k)
		c.Settings = append(c.Settings, Setting{k, texts})
	}
	return c
}

func TestChanges(t *testing.T) {
	before, after := testConfig(), testConfig()
	if got := before.Changes(after); got != nil {
		t.Errorf("nothing changed, and yet: %q", got)
	}
	after.Inbounds = after.Inbounds[:1]
	after.Inbounds[0].UDP = false
	after.Settings[0].Texts = []string{"10m"}
	after.Settings[6].Texts = nil
	after.Settings[7].Texts = strings.Fields("1 2 3 4 5 6")
	want := []string{
		`closed tproxy-in: tproxy [::]:12345 tcp,udp udp_timeout 2h udp_query_timeout 1m iface lan0,ppp* source 203.0.113.5,2001:db8::5 mark 0x12 bind_iface wan1 send_proxy v1 client_rate 1MiB,off`,
		`closed redirect-in: redirect 10.0.0.1:12346 tcp`,
		`closed web: direct 222.173.190.239:51966=backend.example:80 tcp,udp`,
		`opened tproxy-in: tproxy [::]:12345 tcp udp_timeout 2h udp_query_timeout 1m iface lan0,ppp* source 203.0.113.5,2001:db8::5 mark 0x12 bind_iface wan1 send_proxy v1 client_rate 1MiB,off`,
		`udp_timeout 5m -> 10m`,
		`rules.iface lan0,lan1 -> none`,
		`rules.dport 443 -> 6 entries`,
	}
	if got := before.Changes(after); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
