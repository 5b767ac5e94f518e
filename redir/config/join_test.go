package config

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sluice/redir/inbound"
)

// TestPeopleWrite has what editors and people leave in a file.
func TestPeopleWrite(t *testing.T) {
	for _, text := range []string{
		"\ufeff{\"udp_sessions\": 5}",
		"{\r\n  \"udp_sessions\": 5,\r\n}\r\n",
		"// for the café\n{ /* five */ \"udp_sessions\": 5, // at once\n}",
		"{\"udp_sessions\": 5} // end",
		`{"udp_sessions": "5", "rules": {"dport": [1, 2,],},}`,
		`{"udp_sessions": "0x5"}`,
	} {
		f, err := Parse("f.json", []byte(text), testKeys())
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if texts, _ := f.Setting(testKeys()[slices.IndexFunc(testKeys(), func(k Key) bool { return k.Name == "udp_sessions" })]); !slices.Equal(texts, []string{"5"}) {
			t.Errorf("%q: %q", text, texts)
		}
	}
	const late = "\ufeff// ü\n/* a\n b */ {\"udp_sessions\": 5, /* ü */ \"usr\": 1,}"
	if _, err := Parse("f.json", []byte(late), testKeys()); err == nil || !strings.HasPrefix(err.Error(), `f.json:3:35: unknown key "usr"`) {
		t.Errorf("behind comments: %v", err)
	}
}

// TestAllErrors has much that is wrong told in one run, in order, and nothing twice:
// what names something that is wrong itself is not.
func TestAllErrors(t *testing.T) {
	_, err := Parse("f.json", []byte(`{
  "inbounds": [
    {"type": "tproxy", "listen_port": 70000, "listen": "localhost"},
    {"typ": "tproxy", "listen_port": 1},
    {"type": "tproxy", "listen_port": 2, "udp_timeout": "soon"}
  ],
  "outbounds": [
    {"type": "socks", "tag": "proxy", "server": "a b"},
    {"type": "vmess", "tag": "other"}
  ],
  "udp_sessions": "many",
  "udp_sessions": 5,
  "relay": "fast",
  "route": {"final": "other", "rules": [{"port": 0, "outbound": "proxy"}, {"port": 1, "outbound": "prox"}]},
  "rules": {"dport": ["x"], "proto": "icmp"}
}`), testKeys())
	var lines []string
	for line := range strings.Lines(err.Error()) {
		place, _, _ := strings.Cut(strings.TrimSpace(line), ": ")
		lines = append(lines, strings.TrimPrefix(place, "f.json:"))
	}
	want := []string{"3:39", "3:56", "4:6", "5:57", "8:49", "9:14", "11:19", "12:3", "13:12", "14:50", "14:99", "15:38"}
	if !slices.Equal(lines, want) {
		t.Errorf("errors at %q, want %q:\n%v", lines, want, err)
	}
	var all Errors
	if !errors.As(err, &all) || len(all) != len(want) {
		t.Errorf("%T of %d", err, len(all))
	}
	_, err = Parse("f.json", []byte(`{"rules": {"proto": [`+strings.Repeat(`"x", `, 1000)+`]}}`), testKeys())
	if errors.As(err, &all); len(all) != mostErrors {
		t.Errorf("%d errors of a thousand are told, want %d", len(all), mostErrors)
	}
}

// TestJoin reads two files as one.
func TestJoin(t *testing.T) {
	main := Source{"/etc/a.json", []byte(`{"inbounds": [{"type": "tproxy", "tag": "a", "listen_port": 1}], "outbounds": [{"type": "socks", "tag": "proxy", "server": "192.0.2.1", "server_port": 1080}],
		"udp_timeout": "1m", "relay": "copy", "rules": {"iface": ["lan0"]}, "route": {"final": "later", "rules": [{"port": 1, "outbound": "later"}]}}`)}
	more := Source{"/etc/b/b.json", []byte(`{"inbounds": [{"type": "redirect", "tag": "b", "listen_port": 2}], "outbounds": [{"type": "direct", "tag": "later"}],
		"udp_timeout": "2m", "rules": {"dport": 80}, "route": {"rule_set": [{"tag": "s", "path": "s.txt"}], "rules": [{"rule_set": "s", "outbound": "proxy"}]}}`)}
	f, err := Join([]Source{main, more}, testKeys())
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, in := range f.Inbounds {
		tags = append(tags, in.Tag)
	}
	for _, out := range f.Outbounds {
		tags = append(tags, out.Tag)
	}
	for _, rule := range f.Route.Rules {
		tags = append(tags, rule.Outbound)
	}
	if want := []string{"a", "b", "proxy", "later", "later", "proxy"}; !slices.Equal(tags, want) || f.Route.Sets[0].Path != "/etc/b/s.txt" || f.Route.Final != "later" {
		t.Errorf("%q, want %q; %+v", tags, want, f.Route)
	}
	for path, want := range map[string]string{"udp_timeout": "2m", "relay": "copy", "rules.iface": "lan0", "rules.dport": "80"} {
		if got := f.settings[path]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %s", path, got, want)
		}
	}
	for text, want := range map[string]string{
		`{"type": "tproxy", "tag": "a", "listen_port": 9}`:       `/etc/c.json:1:1: its tag "a" is that of inbounds[0] of /etc/a.json`,
		`{"inbounds": [{"type": "redirect", "listen_port": 1}]}`: `/etc/c.json:1:15: inbounds[0]: listens where inbounds[0] of /etc/a.json does: redirect [::]:1`,
		`{"outbounds": [{"type": "direct", "tag": "proxy"}]}`:    `/etc/c.json:1:16: outbounds[0]: its tag "proxy" is that of outbounds[0] of /etc/a.json; give it another`,
		`{"route": {"rule_set": [{"tag": "s", "path": "x"}]}}`:   `/etc/c.json:1:25: route.rule_set[0]: its tag "s" is that of rule_set[0] of /etc/b/b.json; give it another`,
		`{"route": {"final": "late"}}`:                           `/etc/c.json:1:21: route.final: there is no outbound "late"; the nearest is "later"`,
		`{"udp_timeout": "soon"}`:                                `/etc/c.json:1:17: udp_timeout: want a time as "5m", or a number of seconds, not "soon"`,
		`{"udp_timeout": }`:                                      `/etc/c.json:1:17: invalid character '}' at start of value`,
	} {
		if _, err := Join([]Source{main, more, {"/etc/c.json", []byte(text)}}, testKeys()); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
	if err := f.AtInbound(1, errors.New("x")); err.Error() != "/etc/b/b.json:1:15: inbounds[0]: x" {
		t.Error(err)
	}
	if f.Inbounds[1].Kind != inbound.Redirect {
		t.Error("order")
	}
}
