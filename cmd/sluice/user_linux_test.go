package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// threads compares lines of each thread's status, proc_pid_status(5).
func threads(t *testing.T, pid int, want map[string]string) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) < 3 {
		t.Fatalf("%d threads, %v", len(tasks), err)
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
}

// confinedThreads are the lines of a thread of that user which has these
// capabilities and no way to more.
func confinedThreads(user, capabilities string) map[string]string {
	const none = "0000000000000000"
	ids := strings.Join([]string{user, user, user, user}, " ")
	return map[string]string{
		"Uid": ids, "Gid": ids, "CapInh": none, "CapPrm": capabilities, "CapEff": capabilities, "CapBnd": capabilities,
		"CapAmb": none, "NoNewPrivs": "1", "Seccomp": "2",
	}
}

const (
	relayCaps  = "0000000000002400" // bits 10 and 13: net_bind_service, net_raw
	keeperCaps = "0000000000001000" // bit 12: net_admin
)

// keeperOf finds the keeper of the rules of a process.
func keeperOf(t *testing.T, pid int) int {
	t.Helper()
	children := childrenOf(pid)
	if len(children) != 1 {
		t.Fatalf("children %v, want one", children)
	}
	return children[0]
}

// childrenOf are those of all threads of a process.
func childrenOf(pid int) (children []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range tasks {
		text, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(text)) {
			child, _ := strconv.Atoi(field)
			children = append(children, child)
		}
	}
	return children
}

// forUsers makes a file and its directories readable by every user.
func forUsers(t *testing.T, path string) {
	t.Helper()
	for _, dir := range []string{path, filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// needUsers skips a test where there is no user to become.
func needUsers(t *testing.T) {
	t.Helper()
	if uids, err := os.ReadFile("/proc/self/uid_map"); err != nil || len(strings.Fields(string(uids))) != 3 ||
		strings.Fields(string(uids))[2] == "1" {
		t.Skip("this user namespace has one user only, so there is none to become")
	}
}

// TestUser looks at every thread, and then lets the program open a listener
// and change rules for which it needs what it kept.
func TestUser(t *testing.T) {
	program := buildProgram(t)
	needUsers(t)
	for user, flags := range map[string][]string{"65534": {"--user", "nobody"}, "0": nil} {
		path := writeFile(t, `{"inbounds": [{"type": "tproxy", "listen_port": 4369}], "install_rules": true, "rules": {"sysctl": true}}`)
		forUsers(t, path) // the user rereads it
		r := startRun(t, program, append([]string{"--config", path}, flags...)...)
		keeper := keeperOf(t, r.cmd.Process.Pid)
		threads(t, r.cmd.Process.Pid, confinedThreads(user, relayCaps))
		threads(t, keeper, confinedThreads(user, keeperCaps))
		next := path + ".new" // and renamed: what editors do
		if err := os.WriteFile(next, []byte(`{"inbounds": [{"type": "tproxy", "listen_port": 80}],
			"install_rules": true, "rules": {"sysctl": true, "fail": "open"}}`), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
		r.told("READY=1")
		r.signal(syscall.SIGHUP)
		r.logged("reloaded")
		if got := r.listens(); len(got) != 1 || got[0] != "0050" {
			t.Errorf("listens on %q", got)
		}
		if got := r.inside("nft", "list", "ruleset"); !strings.Contains(got, "tproxy to :80") ||
			!strings.Contains(got, fmt.Sprintf("owner pid %d", r.cmd.Process.Pid)) {
			t.Errorf("no rules for port 80 of pid %d in\n%s", r.cmd.Process.Pid, got)
		}
		r.told("RELOADING=1")
		r.told("READY=1")
		r.inside("nft", "flush", "ruleset")
		if got := r.inside("nft", "list", "ruleset"); !strings.Contains(got, "tproxy to :80") {
			t.Errorf("after a flush of all that has no owner:\n%s", got)
		}
		r.inside("ip", "rule", "delete", "priority", "90")
		r.logged("rules were taken away, and are put back")
		r.stop()
		if err := syscall.Kill(keeper, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("the keeper is left: %v", err)
		}
	}
}

// TestNoRulesNoKeeper: where rules are another's task, nothing holds what they
// take, and a reload cannot ask for them.
func TestNoRulesNoKeeper(t *testing.T) {
	path := writeFile(t, `{"type": "tproxy", "listen_port": 4369}`)
	r := startRun(t, buildProgram(t), "--config", path, "--confine", "require")
	threads(t, r.cmd.Process.Pid, confinedThreads("0", relayCaps))
	if err := os.WriteFile(path, []byte(`{"inbounds": [{"type": "tproxy", "listen_port": 4369}], "install_rules": true}`), 0o644); err != nil {
		t.Fatal(err)
	}
	r.told("READY=1")
	r.signal(syscall.SIGHUP)
	if line := r.logged("reload refused, nothing changed"); !strings.Contains(line["error"].(string), "--install-rules cannot be turned on") {
		t.Errorf("refused: %v", line)
	}
	r.told("RELOADING=1")
	r.told("READY=1")
	r.stop()
}

// TestKeeperEnds: without the keeper nobody guards the rules, so the program
// ends and says why; without the program, the keeper holds what fails closed until
// it is told to end, leaves that, and takes the rest away.
func TestKeeperEnds(t *testing.T) {
	program := buildProgram(t)
	for fail, stays := range map[string]bool{"closed": true, "open": false} {
		flags := []string{"--tproxy", ":4369", "--install-rules", "--fail", fail}
		r := startRun(t, program, flags...)
		go io.Copy(io.Discard, r.bus) // a full socket would hold sluice up
		if err := syscall.Kill(keeperOf(t, r.cmd.Process.Pid), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		last := ""
		for line := range r.lines {
			last, _ = line["message"].(string)
		}
		if want := "sluice: ends at once, since it cannot go on: the keeper of the rules has ended"; last != want {
			t.Errorf("--fail %s: its last line is %q, want %q", fail, last, want)
		}
		if status := exits(t, r.cmd); status != 1 {
			t.Errorf("--fail %s: exit status %d", fail, status)
		}

		r = startRun(t, program, flags...)
		keeper := keeperOf(t, r.cmd.Process.Pid)
		namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", keeper))
		if err != nil {
			t.Fatal(err)
		}
		r.signal(syscall.SIGKILL)
		if stays {
			for line := range r.lines { // to the end: nobody holds the log
				last, _ = line["message"].(string)
			}
			if !strings.Contains(last, "its keeper holds the rules") {
				t.Errorf("the last line is %q", last)
			}
			if err := syscall.Kill(keeper, syscall.SIGTERM); err != nil {
				t.Errorf("the keeper has ended: %v", err)
			}
		}
		eventually(t, "the keeper ends", func() bool { return errors.Is(syscall.Kill(keeper, 0), syscall.ESRCH) })
		if tables := tablesOf(t, namespace); strings.Contains(tables, "inet sluice") != stays {
			t.Errorf("--fail %s: after a kill -9 of sluice alone, tables %q", fail, tables)
		}
		namespace.Close()
	}
}
