package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestSpecOfInbounds: which inbound the rules divert to, and what is refused
// names it and its key.
func TestSpecOfInbounds(t *testing.T) {
	for name, c := range map[string]struct{ inbounds, rules, says string }{
		"one": {`{"type": "tproxy", "listen_port": 1}`, ``, "1 1 [] []"},
		"two": {`{"type": "tproxy", "listen_port": 1, "iface": "lan1"}, {"type": "tproxy", "listen_port": 2, "iface": ["lan2", "ppp+"]}`, ``,
			"0 0 [lan1=1 lan2,ppp+=2] []"},
		"rest":    {`{"type": "tproxy", "listen_port": 1, "iface": "lan1", "network": "tcp"}, {"type": "tproxy", "listen_port": 2}`, `"iface": "lan0"`, "2 2 [lan1=1,tcp] []"},
		"foreign": {`{"type": "tproxy", "listen": "203.0.113.5", "listen_port": 443, "network": "tcp"}`, ``, "0 0 [] [203.0.113.5:443,tcp]"},
		"beside":  {`{"type": "tproxy", "listen_port": 1}, {"type": "direct", "listen": "2001:db8::5", "listen_port": 53, "network": "udp", "override_address": "10.0.0.1", "override_port": 53}`, ``, "1 1 [] [[2001:db8::5]:53,udp]"},
		"own":     {`{"type": "tproxy", "listen": "127.0.0.1", "listen_port": 1}`, ``, "tproxy 127.0.0.1:1 does not listen on every address of both families"},
		"own way": {`{"type": "tproxy", "listen": "127.0.0.1", "listen_port": 1, "iface": "lan1"}`, ``, "tproxy 127.0.0.1:1 does not listen on every address"},
		"other":   {`{"type": "direct", "listen_port": 1, "override_address": "10.0.0.1", "override_port": 53, "iface": "lan1", "tag": "a"}`, ``, "inbound a: iface lan1: --via tproxy diverts to inbounds of that kind alone"},
		"routed":  {`{"type": "tproxy", "listen": "203.0.113.5", "listen_port": 1, "iface": "lan1", "tag": "a"}`, ``, "inbound a: iface lan1: what goes to 203.0.113.5 is let in wherever"},
		"twice":   {`{"type": "tproxy", "listen_port": 1, "iface": "ppp0", "tag": "a"}, {"type": "tproxy", "listen_port": 2, "iface": "ppp*", "tag": "b"}`, ``, "inbound b: iface: ppp* arrives by inbound a: iface already (ppp0, tcp)"},
		"bad":     {`{"type": "tproxy", "listen_port": 1, "iface": "l an", "tag": "a"}`, ``, `inbound a: iface: interface "l an": want a name`},
		"nothing": {`{"type": "direct", "listen_port": 1, "override_address": "10.0.0.1", "override_port": 53}`, ``, "need no rules: leave it out"},
		"all":     {`{"type": "tproxy", "listen_port": 1, "iface": "lan1"}`, `"iface": "lan0"`, "interface lan0: each way has interfaces of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, `{"inbounds": [`+c.inbounds+`], "install_rules": true, "rules": {`+c.rules+`}}`)
			ctx, err := parse([]string{"run", "--config", path})
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			if err := runOf(ctx).validate(); err != nil {
				said = err.Error()
			} else if spec, err := runOf(ctx).spec(); err == nil {
				said = specText(spec.TCPPort, spec.UDPPort, spec.Ways, spec.Listeners)
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("%q, want %q", said, c.says)
			}
		})
	}
}

// TestInstallRulesForWays: each inbound with interfaces of its own has rules of
// its own, a reload moves them, and a foreign address is let in.
func TestInstallRulesForWays(t *testing.T) {
	program := buildProgram(t)
	path := writeFile(t, "")
	write := func(inbounds string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(`{"inbounds": [`+inbounds+`], "install_rules": true, "rules": {"sysctl": true}}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"type": "tproxy", "listen_port": 4000, "iface": "lan1"}, {"type": "tproxy", "listen_port": 4001, "iface": "lan2", "mark": "0x12"}`)
	r := startRun(t, program, "--config", path)
	r.told("READY=1")
	table := func() string { return r.inside("nft", "list", "table", "inet", "sluice") }
	expect := func(wanted ...string) {
		t.Helper()
		got := table()
		for _, want := range wanted {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
	}
	expect(`iifname "lan1" goto way1`, `iifname "lan2" goto way2`, "tproxy to :4000", "tproxy to :4001", "way lan2=4001")
	write(`{"type": "tproxy", "listen_port": 4000, "iface": ["lan1", "lan2"]}, {"type": "tproxy", "listen": "203.0.113.5", "listen_port": 443}`)
	r.signal(syscall.SIGHUP)
	r.logged("this machine does not have the address: what is routed here for it arrives by a rule that matches transparent sockets, and the policy route")
	r.logged("reloaded")
	r.told("RELOADING=1")
	r.told("READY=1")
	expect(`iifname "lan2" goto way1`, "ip daddr 203.0.113.5 tcp dport 443 socket transparent 1", "listener 203.0.113.5:443")
	if got := r.inside(program, "rules", "status"); !strings.Contains(got, "way: lan1,lan2=4000\nlistener: 203.0.113.5:443\n") {
		t.Errorf("status:\n%s", got)
	}
	write(`{"type": "tproxy", "listen": "203.0.113.5", "listen_port": 443}`)
	r.signal(syscall.SIGHUP)
	r.logged("reloaded")
	r.told("RELOADING=1")
	r.told("READY=1")
	if got := table(); strings.Contains(got, "tproxy to") {
		t.Errorf("still diverts:\n%s", got)
	}
	r.stop()
}

func specText(parts ...any) string {
	text := fmt.Sprint(parts[0], " ", parts[1])
	for _, list := range parts[2:] {
		text += fmt.Sprint(" ", list)
	}
	return text
}
