package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/tailscale/hujson"

	"sluice/redir/outbound"
)

// FuzzParse: a text is taken or refused with a place inside it; what is taken
// is valid JSON, and printed and read again it stays the same, unless a password is
// hidden.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"type": "tproxy", "listen": "::", "listen_port": 12345, "network": ["tcp", "udp"], "udp_timeout": "5m"}`))
	f.Add([]byte(`{"inbounds": [{"type": "redirect", "tag": "r", "listen_port": 1}], "udp_timeout": 1.5, "rules": {"dport": [1, "2-3"]}}`))
	f.Add([]byte("{\"user\": \"\\ud800\xff\", \"pipe_size\": 1E2}// x"))
	f.Add([]byte(`{"type": "direct", "listen": "222.173.190.239", "listen_port": 51966, "override_address": "Backend.example.", "override_port": 80}`))
	f.Add([]byte(`{"rules": {"dport": [""]}}`))
	f.Add([]byte(outboundsFile))
	f.Add([]byte(routeFile))
	f.Add([]byte(`{"outbounds": [{"type": "socks", "tag": "s", "server": "a.b", "server_port": 1, "username": "u", "password": "p"}]}`))
	f.Add(testConfig().Print())
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse("f", text, testKeys())
		if err != nil {
			var all Errors
			if !errors.As(err, &all) || len(all) > mostErrors {
				t.Fatalf("%T: %v", err, err)
			}
			place := all[len(all)-1]
			if place.Line < 1 || place.Line > 1+bytes.Count(text, []byte{'\n'}) ||
				place.Column < 1 || place.Column > 1+len(text) {
				t.Fatalf("%v", err)
			}
			return
		}
		if plain, err := hujson.Standardize(bytes.TrimPrefix(append(text, '\n'), []byte("\ufeff"))); err != nil || !json.Valid(plain) {
			t.Fatalf("taken, and yet not JSON: %v", err)
		}
		first := file.config().Print()
		if slices.ContainsFunc(file.Outbounds, func(o outbound.Spec) bool { return o.Password != "" }) {
			return // it is hidden
		}
		again, err := Parse("printed", first, testKeys())
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		if second := again.config().Print(); !bytes.Equal(first, second) {
			t.Fatalf("printed\n%s\nthen\n%s", first, second)
		}
	})
}
