package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestInstallRules: the rules come and go with the program, follow a reload,
// are put back when they are wiped, and cannot be flushed.
func TestInstallRules(t *testing.T) {
	program := buildProgram(t)
	path := writeFile(t, "")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"inbounds": [{"type": "tproxy", "listen_port": 4000}], "install_rules": true, "rules": {"sysctl": true}}`)
	r := startRun(t, program, "--config", path)
	r.told("READY=1")
	table := func() string { return r.inside("nft", "list", "ruleset") }
	policy := func() string { return r.inside("ip", "rule") + r.inside("ip", "-6", "rule") }
	if got := table(); !strings.Contains(got, "tproxy to :4000") {
		t.Errorf("no rules for port 4000 in\n%s", got)
	}
	if got := policy(); strings.Count(got, "lookup 100") != 2 {
		t.Errorf("policy rules:\n%s", got)
	}

	r.inside("ip", "route", "flush", "table", "100")
	r.logged("rules were taken away, and are put back")
	if got := r.inside("ip", "route", "show", "table", "100"); !strings.Contains(got, "local default") {
		t.Errorf("not put back:\n%s", got)
	}
	r.inside("nft", "flush", "ruleset")
	if got := table(); !strings.Contains(got, "tproxy to :4000") {
		t.Errorf("flushed:\n%s", got)
	}

	reload := func(text, message string) map[string]any {
		t.Helper()
		write(text)
		r.signal(syscall.SIGHUP)
		line := r.logged(message)
		r.told("RELOADING=1")
		r.told("READY=1")
		return line
	}
	reload(`{"inbounds": [{"type": "tproxy", "listen_port": 5000}], "install_rules": true, "rules": {"sysctl": true, "exclude": ["192.0.2.0/24"]}}`, "reloaded")
	if got := table(); !strings.Contains(got, "tproxy to :5000") || !strings.Contains(got, "192.0.2.0/24") {
		t.Errorf("no rules for port 5000 in\n%s", got)
	}
	line := reload(`{"inbounds": [{"type": "tproxy", "listen_port": 6000}], "install_rules": true, "rules": {"sysctl": true, "exclude": ["192.0.2.1/24"]}}`,
		"reload refused, nothing changed")
	if got := line["error"].(string); !strings.Contains(got, "192.0.2.1/24") {
		t.Errorf("refused for %s", got)
	}
	if got := r.listens(); len(got) != 1 || got[0] != "1388" || !strings.Contains(table(), "tproxy to :5000") {
		t.Errorf("after a refused reload: listens on %q, rules\n%s", got, table())
	}
	reload(`{"inbounds": [{"type": "tproxy", "listen_port": 5000}]}`, "reloaded")
	if got := table() + policy(); strings.Contains(got, "sluice") || strings.Contains(got, "lookup 100") {
		t.Errorf("not removed:\n%s", got)
	}
	reload(`{"inbounds": [{"type": "tproxy", "listen_port": 5000}], "install_rules": true, "rules": {"sysctl": true}}`, "reloaded")
	if got := table(); !strings.Contains(got, "tproxy to :5000") {
		t.Errorf("not installed again:\n%s", got)
	}
	r.stop()
}
