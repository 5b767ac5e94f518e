package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/redir"
)

// rings is how many rings the process has.
func (r *running) rings() (n int) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", r.cmd.Process.Pid))
	for _, link := range links {
		if to, _ := os.Readlink(link); to == "anon_inode:[io_uring]" {
			n++
		}
	}
	return n
}

// TestEngine: each is used, and named wherever one looks.
func TestEngine(t *testing.T) {
	program := buildProgram(t)
	for asked, want := range map[string]string{"epoll": "epoll", "io_uring": "io_uring", "auto": redir.BestEngine().String()} {
		control := filepath.Join(t.TempDir(), "control")
		r := startRun(t, program, "--tproxy", ":4369", "--reactors", "2", "--engine", asked, "--control", control)
		ready := r.said[len(r.said)-1]
		if ready["engine"] != want || !strings.Contains(fmt.Sprint(ready["confined"]), "seccomp") {
			t.Errorf("--engine %s: %v", asked, ready)
		}
		if n := r.rings(); n != map[string]int{"epoll": 0, "io_uring": 2}[want] {
			t.Errorf("--engine %s: %d rings", asked, n)
		}
		if status := r.inside(program, "status", "--control", control); !strings.Contains(status, ", "+want+", 2 reactors") {
			t.Errorf("--engine %s: %s", asked, status)
		}
		r.told("READY=1")
		r.stop()
	}
}

// without writes a program that runs sluice where rings are refused: by an error that is
// put in the place of what io_uring_setup answers, or in some other way.
func without(t *testing.T, program, how string) string {
	t.Helper()
	if errno, ok := strings.CutPrefix(how, "error="); ok {
		how = "strace -D -f -qq -o /dev/null -e trace=io_uring_setup -e inject=io_uring_setup:error=" + errno
	}
	path := filepath.Join(t.TempDir(), "sluice")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec "+how+" "+program+" \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEngineRefused: --engine io_uring says what refuses it and does not start, auto says
// it and starts.
func TestEngineRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("transparent sockets and a network namespace need root")
	}
	program := buildProgram(t)
	filtered := without(t, program, "error=EPERM")
	disabled := "unshare --mount sh -c 'mount --bind " + writeFile(t, "2\n") + " /proc/sys/kernel/io_uring_disabled && exec \"$@\"' sh"
	for refused, why := range map[string]string{
		filtered:                            "a filter of system calls",
		without(t, filtered, disabled):      "kernel.io_uring_disabled is 2",
		without(t, program, "error=EACCES"): "a security module",
		without(t, program, "error=EINVAL"): "Linux 5.18",
		without(t, program, "prlimit --memlock=4096 setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock"): "LimitMEMLOCK=",
	} {
		out, err := exec.Command("unshare", "--net", refused, "run", "--tproxy", ":4369", "--engine", "io_uring").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "--engine io_uring: ring of reactor 0: ") || !strings.Contains(string(out), why) {
			t.Errorf("%s: %v\n%s", why, err, out)
		}
		r := startRun(t, refused, "--tproxy", ":4369", "--engine", "auto")
		if ready := r.said[len(r.said)-1]; ready["engine"] != "epoll" || r.rings() != 0 {
			t.Errorf("%s: %v", why, ready)
		}
		said := r.said[0]
		if said["level"] != "info" || said["message"] != "there is no io_uring here: the engine is epoll" || !strings.Contains(fmt.Sprint(said["why"], said["remedy"]), why) {
			t.Errorf("%s: logged %v", why, said)
		}
		r.told("READY=1")
		r.stop()
	}
}
