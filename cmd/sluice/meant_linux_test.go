package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"sluice/redir/config"
)

// TestWordsOfOthersLeadToSettings: what other programs call a setting leads to one that
// there is, whatever becomes of its name.
func TestWordsOfOthersLeadToSettings(t *testing.T) {
	ctx, _ := parseRun(t, "--tproxy", ":1")
	var keys []config.Key
	for _, s := range settings(ctx.Selected()) {
		keys = append(keys, s.Key)
	}
	for word, want := range map[string]string{
		"so_mark": "mark", "timeout_connect": "connect_timeout", "timeout_client": "idle_timeout", "timeout_client_fin": "half_close_timeout",
		"udp_ttl": "udp_timeout", "dns_timeout": "udp_query_timeout", "grace": "drain_timeout", "timeout_sniff": "sniff_timeout",
		"tcp_keepalive": "keepalive", "maxconn": "max_conns", "maxConnections": "max_conns", "nat_size": "udp_sessions",
		"per_client": "client_conns", "connect_rate": "client_connects", "bandwidth": "client_rate", "whitelist": "client_exempt", "oom": "memory_pressure",
		"workers": "reactors", "nbthread": "reactors", "threads": "reactors", "zero_copy": "relay", "tune.pipesize": "pipe_size", "tune.bufsize": "buffer_size",
		"sendmmsg": "batch", "tcp_congestion": "congestion_upstream", "dscp": "tos", "port_map": "map", "accept_proxy_protocol": "accept_proxy",
		"send-proxy-v2": "send_proxy", "icmp_errors": "icmp", "allow_self": "allow_local", "auto_route": "install_rules", "loglevel": "log_level", "log": "log_level",
		"log_target": "log_format", "tcplog": "access_log", "sample_rate": "access_log_sample", "uid": "user", "seccomp": "confine", "hot_restart": "takeover",
		"stats_socket": "control", "api": "control", "secret": "control_token_file", "netflow": "ipfix", "usesrc": "source", "bind_to_device": "bind_iface",
		"rules:interface": "iface", "rules:oifname": "oiface", "rules:ports": "dport", "rules:only": "include", "rules:bypass": "exclude", "rules:uid_owner": "exclude_uid",
		"rules:cgroup": "exclude_cgroup", "rules:locally_generated": "output", "rules:mode": "via", "rules:fail_open": "fail", "rules:existing": "established",
		"rules:rt_table": "table", "rules:pref": "rule_priority", "rules:connmark": "ct_mark", "rules:tproxy_mark": "fwmark", "rules:conntrack": "notrack", "rules:set_sysctl": "sysctl",
	} {
		text, here := fmt.Sprintf(`{%q: 1}`, word), "sluice calls it "
		if inner, ofRules := strings.CutPrefix(word, "rules:"); ofRules {
			text = fmt.Sprintf(`{"rules": {%q: 1}}`, inner)
		}
		if strings.ReplaceAll(word, "_", "") == strings.ReplaceAll(want, "_", "") {
			here = "write "
		}
		_, err := config.Parse("f", []byte(text), keys)
		if _, hint, _ := strings.Cut(fmt.Sprint(err), here); !strings.Contains(hint, fmt.Sprintf("%q", want)) {
			t.Errorf("%s: %v, want %s%q", text, err, here, want)
		}
	}
}

// TestEveryKeyIsFoundInAnotherPlace: a setting at a wrong place is told where it belongs.
func TestEveryKeyIsFoundInAnotherPlace(t *testing.T) {
	ctx, _ := parseRun(t, "--tproxy", ":1")
	var keys []config.Key
	known := map[string]bool{"rules": true, "inbounds": true, "outbounds": true, "route": true}
	for _, s := range settings(ctx.Selected()) {
		keys = append(keys, s.Key)
		known[s.Path()] = true
	}
	for _, k := range keys {
		text, want := fmt.Sprintf(`{"rules": {%q: 1}}`, k.Name), "at the top of the file"
		if k.Object != "" {
			text, want = fmt.Sprintf(`{%q: 1}`, k.Name), `in "rules"`
		}
		if k.Object == "" && known["rules."+k.Name] || k.Object != "" && known[k.Name] {
			continue
		}
		if _, err := config.Parse("f", []byte(text), keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestFlagsOfOthers: a command line that cannot be is told what sluice calls a flag.
func TestFlagsOfOthers(t *testing.T) {
	for line, want := range map[string]string{
		"run --threads 4":                 "--threads: sluice calls it --reactors",
		"run --user joe --maxconn=5":      "--maxconn: sluice calls it --max-conns",
		"run --listen :1":                 "--listen: sluice calls it --tproxy",
		"run --interface=a --workers 2":   "--interface: sluice calls it --bind-iface or --iface\n--workers: sluice calls it --reactors",
		"rules print --interface=lan0":    "--interface: sluice calls it --iface",
		"run --gibberish --mark 2":        "",
		"run --tproxy :1 --mark two":      "",
		"flows --workers":                 "",
		"run --tproxy :1 -- --workers":    "",
		"run --tproxy :1 --iface workers": "",
	} {
		ctx, err := parse(strings.Fields(line))
		if err != nil {
			if usage := new(kong.ParseError); errors.As(err, &usage) {
				ctx = usage.Context
			}
		}
		if got := strings.Join(otherNames(ctx.Selected(), ctx.Args), "\n"); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestVariablesOfOthers(t *testing.T) {
	known := []string{"SLUICE_REACTORS", "SLUICE_MARK", "SLUICE_TOS"}
	for name, want := range map[string]string{
		"SLUICE_THREADS": "sluice calls it SLUICE_REACTORS", "SLUICE_MARKK": "the nearest known one is SLUICE_MARK",
		"SLUICE_FOO": "sluice run --help all names those that there are", "SLUICE_": "sluice run --help all names those that there are",
		"SLUICE_MAXCONN": "sluice run --help all names those that there are",
	} {
		if got := meantVariable(name, known); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestChoicesOfOthers(t *testing.T) {
	for line, want := range map[string]string{
		"run --log-level warning":   `want "trace", "debug", "info", "warn" or "error"; the nearest is "warn"`,
		"run --fail drop":           `want "open" or "closed"; the nearest is "closed"`,
		"run --log-level gibberish": `want "trace", "debug", "info", "warn" or "error"`,
	} {
		if _, err := parse(strings.Fields(line)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

// TestFlagsWithoutValue: a flag that ends the command line says what it wants.
func TestFlagsWithoutValue(t *testing.T) {
	for line, want := range map[string]string{
		"flows --sort":            "--sort: want a value after it",
		"flows --limit":           "--limit: want a number after it",
		"flows --client":          "--client: want a value after it",
		"flows --older":           "--older: want a ",
		"run --tproxy":            "--tproxy: want a value after it",
		"run --idle-timeout":      "--idle-timeout: want a time after it",
		"run --pipe-size":         "--pipe-size: want a size after it",
		"run --access-log-sample": "--access-log-sample: want a number after it",
	} {
		if _, err := parse(strings.Fields(line)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

// TestFlagBeforeItsCommand is told where it belongs.
func TestFlagBeforeItsCommand(t *testing.T) {
	for line, want := range map[string]string{
		"--control 127.0.0.1:9 status":    "--control stands behind the command: sluice status --control",
		"--port=1 rules print":            "--port stands behind the command: sluice rules print --port",
		"--tproxy :1 run --relay splice":  "--tproxy stands behind the command: sluice run --tproxy",
		"--control 127.0.0.1:9":           "",
		"--nonsense status":               "",
		"status --control 127.0.0.1:9 --": "",
	} {
		ctx, err := parse(strings.Fields(line))
		got := ""
		var usage *kong.ParseError
		if errors.As(err, &usage) {
			got = misplaced(usage.Context.Model.Node, usage.Context.Args)
		} else if err != nil || ctx == nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
