package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestUser looks at every thread, and then lets the program open a listener
// and install rules for which it needs what it kept.
func TestUser(t *testing.T) {
	program := buildProgram(t)
	if uids, err := os.ReadFile("/proc/self/uid_map"); err != nil || len(strings.Fields(string(uids))) != 3 ||
		strings.Fields(string(uids))[2] == "1" {
		t.Skip("this user namespace has one user only, so there is none to become")
	}
	path := writeFile(t, `{"type": "tproxy", "listen_port": 4369}`)
	for _, dir := range []string{path, filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		if err := os.Chmod(dir, 0o755); err != nil { // the user rereads it
			t.Fatal(err)
		}
	}
	r := startRun(t, program, "--config", path, "--user", "nobody")
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", r.cmd.Process.Pid))
	if err != nil || len(tasks) < 3 {
		t.Fatalf("%d threads, %v", len(tasks), err)
	}
	const kept = "0000000000003400" // bits 10, 12 and 13: net_bind_service, net_admin, net_raw
	want := map[string]string{
		"Uid": "65534 65534 65534 65534", "Gid": "65534 65534 65534 65534", "Groups": "",
		"CapInh": "0000000000000000", "CapPrm": kept, "CapEff": kept, "CapBnd": kept,
		"CapAmb": "0000000000000000", "NoNewPrivs": "1",
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		seen := 0
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			if expected, ok := want[name]; ok {
				seen++
				if got := strings.Join(strings.Fields(value), " "); got != expected {
					t.Errorf("%s: %s is %s, want %s", task, name, got, expected)
				}
			}
		}
		if seen != len(want) {
			t.Errorf("%s: %d of %d lines", task, seen, len(want))
		}
	}
	if err := os.WriteFile(path, []byte(`{"inbounds": [{"type": "tproxy", "listen_port": 80}],
		"install_rules": true, "rules": {"sysctl": true}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	r.told("READY=1")
	r.signal(syscall.SIGHUP)
	r.logged("reloaded")
	if got := r.listens(); len(got) != 1 || got[0] != "0050" {
		t.Errorf("listens on %q", got)
	}
	if got := r.inside("nft", "list", "ruleset"); !strings.Contains(got, "tproxy to :80") {
		t.Errorf("no rules for port 80 in\n%s", got)
	}
	r.told("RELOADING=1")
	r.told("READY=1")
	r.stop()
}
