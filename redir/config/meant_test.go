package config

import (
	"slices"
	"strings"
	"testing"

	"sluice/redir/outbound"
)

// TestWordsOfOthers: what is told of a word is told where it is not known, and each
// word is written as keys are compared.
func TestWordsOfOthers(t *testing.T) {
	known := map[place][]string{}
	for _, p := range new(document).everything() {
		known[p.at] = append(known[p.at], p.key)
	}
	for at, words := range insteadOf {
		for word := range words {
			if word != spelled(word) || slices.Contains(known[at], word) {
				t.Errorf("%s: %q is known there, or would be spelled %q", at, word, spelled(word))
			}
		}
	}
	for _, table := range []map[string][]string{alike, alikeValues} {
		for word, means := range table {
			if word != spelled(word) {
				t.Errorf("%q would be spelled %q", word, spelled(word))
			}
			if slices.Contains(means, word) || len(slices.Compact(slices.Clone(means))) != len(means) {
				t.Errorf("%q: %q", word, means)
			}
		}
	}
}

func TestSpelled(t *testing.T) {
	for text, want := range map[string]string{
		"udp_timeout": "udp_timeout", "udpTimeout": "udp_timeout", "UDPTimeout": "udptimeout", "UDP_TIMEOUT": "udp_timeout",
		"--udp-timeout": "udp_timeout", "SLUICE_UDP_TIMEOUT": "udp_timeout", " udp.timeout ": "udp_timeout", "dstIP": "dst_ip",
		"": "", "--": "", "Größe": "größe", "//": "//",
	} {
		if got := spelled(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestMeant has a hint of each kind.
func TestMeant(t *testing.T) {
	in := func(key string) string { return `{"inbounds": [{` + key + `}]}` }
	out := func(key string) string { return `{"outbounds": [{"type": "socks", ` + key + `}]}` }
	route := func(key string) string { return `{"route": {` + key + `}}` }
	rule := func(key string) string { return route(`"rules": [{` + key + `}]`) }
	for _, c := range []struct{ text, want string }{
		// spelling
		{`{"udp-timeout": 5}`, `; write "udp_timeout"`},
		{`{"udpTimeout": 5}`, `; write "udp_timeout"`},
		{`{"UDP_TIMEOUT": 5}`, `; write "udp_timeout"`},
		{`{"SLUICE_UDP_TIMEOUT": 5}`, `; write "udp_timeout"`},
		{`{"udptimeout": 5}`, `; write "udp_timeout"`},
		{in(`"listenPort": 5`), `; write "listen_port"`},
		{out(`"serverPort": 5`), `; write "server_port"`},
		{rule(`"domainSuffix": "a"`), `; write "domain_suffix"`},
		{route(`"autoDetectInterface": true`), `sluice does not have sing-box's "autoDetectInterface": leave it out`},
		{`{"udp": {"timeout": 5}}`, `; it is no object of its own: write "udp_timeout"`},
		{`{"udp": {"timeout": 5, "sessions": 5}}`, `; it is no object of its own: write "udp_timeout" or "udp_sessions"`},

		// letters
		{`{"udp_sesions": 5}`, `; the nearest known one is "udp_sessions"`},
		{`{"ifce": "lan0"}`, `; the nearest known one is "iface", in "rules"`},
		{`{"gibberish": 5}`, `; sluice has nothing like it: sluice run --help all tells of every setting`},
		{`{"timeouts": {"udp": 5}}`, `; it is no object of its own: write "udp_timeout"`},
		{`{"udp_timeout_seconds": 5}`, `; the nearest known one is "udp_timeout"`},
		{out(`"tolerence": 5`), `; the nearest known one is "tolerance", in an outbound of another type`},
		{out(`"test_url": "http://a.b"`), `; sluice has "url" in an outbound of another type`},
		{rule(`"sport": 5`), `; sluice calls it "source_port"`},
		{route(`"gibberish": 5`), `; sluice has nothing like it: want "rules", "rule_set" or "final"`},
		{`{"` + strings.Repeat("x", 1<<20) + `": 5}`, `; sluice has nothing like it: sluice run --help all tells of every setting`},

		// meaning
		{in(`"port": 1`), `; sluice calls it "listen_port"`},
		{in(`"bind": "::"`), `; sluice calls it "listen"`},
		{in(`"fwmark": 1`), `; sluice calls it "mark"`},
		{in(`"settings": {}`), `; there is no such object here: what it holds stands in the inbound or outbound itself`},
		{in(`"streamSettings": {}`), `; there is no such object here: what it holds stands in the inbound or outbound itself`},
		{in(`"protocol": "dokodemo-door"`), `; "type" is how traffic comes, as "tproxy", and "network" whether it is "tcp" or "udp"`},
		{out(`"address": "192.0.2.7"`), `; sluice calls it "server"`},
		{out(`"port": 1080`), `; sluice calls it "server_port"`},
		{`{"outbounds": [{"protocol": "freedom"}]}`, `; sluice calls it "type"`},
		{rule(`"dst": "192.0.2.0/24"`), `; sluice calls it "ip_cidr"`},
		{rule(`"block": true`), `; it is "action": "reject"`},
		{`{"rules": {"interface": "lan0"}}`, `; sluice calls it "iface"`},
		{`{"dns": {}}`, `; sluice answers no DNS, and the system resolves names: leave it out`},
		{`{"_comment": "mine"}`, `; a comment is // to the end of the line, or stands between /* and */`},

		// place
		{`{"iface": "lan0"}`, `; it belongs in "rules" or in an inbound`},
		{`{"rules": {"udp_sessions": 5}}`, `; it belongs at the top of the file`},
		{in(`"udp_sessions": 5`), `; it belongs at the top of the file`},
		{route(`"udp_sessions": 5`), `; it belongs at the top of the file`},
		{rule(`"final": "a"`), `; it belongs in "route"`},
		{`{"final": "a"}`, `; it belongs in "route"`},
		{`{"outbound": {}}`, `; the nearest known one is "outbounds"`},
		{`{"bind": "::"}`, `; sluice has "listen" in an inbound`},
		{`{"rules": [{"port": 5}]}`, `; rules that lead to outbounds stand in "route": {"rules": [...]}`},

		// values
		{`{"relay": "zero-copy"}`, `want "auto", "copy" or "splice", not "zero-copy"; the nearest is "splice"`},
		{`{"relay": "splcie"}`, `not "splcie"; the nearest is "splice"`},
		{in(`"type": "dokodemo-door"`), `not "dokodemo-door"; the nearest is "tproxy"`},
		{in(`"type": "TProxy"`), `not "TProxy"; write "tproxy"`},
		{`{"outbounds": [{"type": "blackhole"}]}`, `not "blackhole"; the nearest is "block"`},
		{`{"outbounds": [{"type": "selector"}]}`, `not "selector"; the nearest is "urltest"`},
		{rule(`"action": "drop"`), `want "route" or "reject", not "drop"; the nearest is "reject"`},
		{rule(`"port": "80-90"`), `want a number from 1 to 65535, or a list of them, not "80-90": a range is a port_range, as "1000:2000"`},
		{rule(`"port": [1, "80,443"]`), `want a number from 1 to 65535, or a list of them, not "80,443": a range is a port_range, as "1000:2000"`},
		{rule(`"domain": "geosite:de"`), `; names by the list are a rule_set`},
		{rule(`"domain": ["full:a.test"]`), `; "domain" has it, without "full:"`},
		{rule(`"ip_cidr": "geoip:private"`), `; networks by the list are a rule_set`},
		{route(`"final": "block"`), `there is no outbound "block": declare it in outbounds, as {"type": "block", "tag": "block"}, or name "direct" or "upstream"`},
		{route(`"final": "reject"`), `declare it in outbounds, as {"type": "block", "tag": "reject"}, or name "direct" or "upstream"`},
		{route(`"final": "drect"`), `there is no outbound "drect"; the nearest is "direct"`},
		{rule(`"action": "hijack-dns"`), `sluice answers no DNS, and the system resolves names: leave this rule out`},
		{in(`"type": "tproxy", "listen_port": 1, "network": "upd"`), `want "tcp", "udp" or a list of both, not "upd"`},
	} {
		_, err := Parse("f.json", []byte(c.text), testKeys())
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%.200s\ngot  %.300v\nwant %s", c.text, err, c.want)
		}
	}
}

// FuzzMeant: every unknown key has a hint, and always the same, in each place.
func FuzzMeant(f *testing.F) {
	for _, word := range []string{"", "udpTimeout", "port", "--", "SLUICE_", "\xff\x00", "interface", "größe", "a b.c"} {
		f.Add(word)
	}
	d := &document{name: "f", keys: testKeys()}
	f.Fuzz(func(t *testing.T, key string) {
		for at, known := range map[place][]string{
			atTop: names(d.keys, ""), inObject("rules"): names(d.keys, "rules"), inInbound: inboundKeys, inRoute: routeKeys, inRule: conditionKeys,
			inOutbound: outboundKeys(outbound.Socks), inRuleSet: ruleSetKeys,
		} {
			if slices.Contains(known, key) {
				continue
			}
			m := member{key: key}
			if is := d.meant(m, at, known); is == "" || is != d.meant(m, at, known) {
				t.Errorf("%q %s: %q, then %q", key, at, is, d.meant(m, at, known))
			}
			if is := NearestOf(key, known); is != NearestOf(key, known) {
				t.Errorf("%q %s: %q, then another", key, at, is)
			}
		}
	})
}

// TestManyFaults: what nobody is told is not looked for; a file of 16 MiB may have a
// million unknown keys.
func TestManyFaults(t *testing.T) {
	faults := make(Errors, 2*mostErrors)
	d := &document{name: "f", keys: testKeys(), faults: &faults}
	r := objectReader{document: d}
	if n := testing.AllocsPerRun(1, func() { r.unknown(member{key: "threadsyxy"}, inboundKeys) }); n > 0 {
		t.Errorf("an unknown key too many costs %v allocations", n)
	}
	if is := d.nearestOf(node{value: "warning"}, []string{"warn"}); is != "" {
		t.Errorf("a value too many: %s", is)
	}
}
