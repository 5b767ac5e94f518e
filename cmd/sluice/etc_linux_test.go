package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// inEtc writes a program that runs another one with a directory in the place of /etc.
func inEtc(t *testing.T, program, etc string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice")
	text := "#!/bin/sh\nunset SLUICE_CONFIG\nexec unshare --mount sh -c 'mount --bind " + etc + " /etc && exec \"$@\"' sh " + program + ` "$@"` + "\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDoctorWithEtc: what doctor tries has nothing to do with the files of this machine.
func TestDoctorWithEtc(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	etc := t.TempDir()
	put(t, etc, map[string]string{"sluice/sluice.json": `{"type": "tproxy", "listen_port": 1, "install_rules": true, "mark": 7}`})
	said, _ := exec.Command("unshare", "--net", inEtc(t, buildProgram(t), etc), "doctor", "--iface", "lo").CombinedOutput()
	if strings.Count(string(said), "\nok    test of this kernel") != 3 {
		t.Errorf("doctor: %s", said)
	}
}

// TestRunWithEtc runs what a package's service runs: sluice without --config, with
// rules, whose keeper and each reload find the files of /etc as well.
func TestRunWithEtc(t *testing.T) {
	etc := t.TempDir()
	put(t, etc, map[string]string{"sluice/sluice.json": `{
		"inbounds": [{"type": "tproxy", "tag": "a", "listen": "::", "listen_port": 4369}],
		"install_rules": true, "rules": {"dport": [80]}}`})
	r := startRun(t, inEtc(t, buildProgram(t), etc))
	reload := func(want string) {
		t.Helper()
		r.signal(syscall.SIGHUP)
		eventually(t, want, func() bool { return (<-r.lines)["message"] == want })
	}
	rules := func(want string) {
		t.Helper()
		if got := r.inside("nft", "list", "table", "inet", "sluice"); !strings.Contains(got, want) {
			t.Errorf("no %q in the rules:\n%s", want, got)
		}
	}
	rules("80")
	reload("reloaded, no setting is different")
	put(t, etc, map[string]string{"sluice/conf.d/port.json": `{"rules": {"dport": [4711]}}`})
	reload("reloaded")
	rules("4711")
	put(t, etc, map[string]string{"sluice/conf.d/port.json": `{"rules": `})
	reload("reload refused, nothing changed")
	rules("4711")
	r.signal(syscall.SIGTERM)
	eventually(t, "stopped", func() bool { return (<-r.lines)["message"] == "stopped" })
	if err := r.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
