package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// TestRouteFlags asserts what flags make of the file's outbounds and routes.
func TestRouteFlags(t *testing.T) {
	file := writeFile(t, `{"inbounds": [{"type": "tproxy", "listen_port": 1}], "outbounds": [
		{"type": "block"}, {"type": "socks", "tag": "upstream", "server": "192.0.2.8", "server_port": 1}]}`)
	for _, c := range []struct {
		args           string
		outbounds, how string
	}{
		{"", "", ""},
		{"--config " + file, "block=block upstream=socks 192.0.2.8:1", ""},
		{"--upstream socks5://192.0.2.7", "upstream=socks 192.0.2.7:1080", "final upstream"},
		{"--upstream direct: --config " + file, "block=block upstream=direct", "final upstream"},
		{"--block 10.0.0.0/8,2001:db8::/32", "", "--block 2001:db8::/32 (reject); --block 10.0.0.0/8 (reject); final "},
		{"--direct 10.1.0.0/16 --block 10.0.0.0/8 --block 10.1.2.3 --config " + file, "block=block upstream=socks 192.0.2.8:1",
			"--block 10.1.2.3/32 (reject); --direct 10.1.0.0/16 direct; --block 10.0.0.0/8 (reject); final "},
	} {
		_, cmd := parseRun(t, append([]string{"--tproxy", ":1"}, strings.Fields(c.args)...)...)
		var outbounds []string
		for _, o := range cmd.outbounds() {
			outbounds = append(outbounds, o.Tag+"="+o.String())
		}
		if got := strings.Join(outbounds, " "); got != c.outbounds {
			t.Errorf("%s: outbounds %s", c.args, got)
		}
		r := cmd.route()
		var how []string
		for _, rule := range r.Rules {
			how = append(how, rule.From+" "+rule.Outbound)
		}
		if len(how) > 0 || r.Final != "" {
			how = append(how, "final "+r.Final)
		}
		if got := strings.Join(how, "; "); got != c.how {
			t.Errorf("%s: routes %s", c.args, got)
		}
		if err := cmd.validate(); err != nil {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}

func TestRouteFlagErrors(t *testing.T) {
	file := writeFile(t, `{"outbounds": [{"type": "block", "tag": "direct"}]}`)
	for args, want := range map[string]string{
		"--upstream socks4://192.0.2.7":                                          "--upstream: sluice speaks SOCKS5 only",
		"--upstream-password-file /f":                                            "there is no --upstream whose password it could be",
		"--upstream socks5://192.0.2.7 --upstream-password-file /f":              "--upstream: username: none, but there is a password: name both",
		"--upstream socks5://joe:x@192.0.2.7 --upstream-password-file /f":        "has a password already",
		"--direct 10.0.0.0/8 --config " + file:                                   `--direct: the file's outbound "direct" is a block one`,
		"--upstream socks5://127.0.0.1:1":                                        `outbound "upstream": its server 127.0.0.1:1 is where sluice itself listens`,
		"--upstream socks5://" + strings.Repeat("u", 256) + ":mystery@192.0.2.7": "at most 255 bytes",
	} {
		_, cmd := parseRun(t, append([]string{"--tproxy", ":1"}, strings.Fields(args)...)...)
		if err := cmd.validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "mystery") {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// TestUpstreamOfTheEnvironment asserts that a password there is taken, and that
// nothing shows it.
func TestUpstreamOfTheEnvironment(t *testing.T) {
	t.Setenv(upstreamVariable, "http://joe:mystery@proxy.example:3128")
	t.Setenv("SLUICE_UPSTREAM_PASSWORD_FILE", "/none")
	ctx, cmd := parseRun(t, "--tproxy", ":1")
	if o := cmd.outbounds()[0]; o.Password != "mystery" || o.PasswordFile != "/none" {
		t.Errorf("%+v", o)
	}
	printed := string(cmd.config(ctx).Print())
	if shown := fmt.Sprintf("%s %v %+v %#v", printed, cmd.Upstream, cmd.Upstream, cmd.options(zerolog.Nop())); strings.Contains(shown, "mystery") {
		t.Errorf("it shows in %s", shown)
	}
	if !strings.Contains(printed, `"password": "***"`) {
		t.Errorf("printed\n%s", printed)
	}
}
