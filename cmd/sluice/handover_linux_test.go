package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/cmd/sluice/handover"
)

// within runs f on a thread in the network namespace of a process. The thread goes
// back: if it ended, programs that it started would (prctl(2), PR_SET_PDEATHSIG).
func within(t *testing.T, pid int, f func()) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		var err error
		defer func() { done <- err }() // also when f ends the test
		runtime.LockOSThread()
		var own, ns int
		if own, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		defer unix.Close(own)
		if ns, err = unix.Open(fmt.Sprintf("/proc/%d/ns/net", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return
		}
		defer unix.Close(ns)
		defer func() {
			if unix.Setns(own, unix.CLONE_NEWNET) == nil {
				runtime.UnlockOSThread()
			}
		}()
		if err = unix.Setns(ns, unix.CLONE_NEWNET); err == nil {
			f()
		}
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// tables are those of nftables in the namespace of the calling thread.
func tables(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("nft", "list", "tables").CombinedOutput()
	if err != nil {
		t.Errorf("nft: %v\n%s", err, out)
	}
	return string(out)
}

// TestHandOverToNobody asserts that a sluice whose successor ends at the last
// moment has its rules and its door again, and that one which yields leaves the
// rules in force, tells the service manager who its main process is, and ends.
func TestHandOverToNobody(t *testing.T) {
	r := startRun(t, buildProgram(t), "--tproxy", ":12345", "--install-rules")
	r.told("READY=1")
	manager := r.bus.LocalAddr().String()
	within(t, r.cmd.Process.Pid, func() {
		const ours = "table inet sluice\n"
		find := func() *handover.Incumbent {
			i, err := handover.Find([]string{"udp-[::]:12345", "tcp-[::]:12345"}, os.Getuid())
			if err != nil || i == nil || i.Peer().PID != r.cmd.Process.Pid {
				t.Fatalf("found %v, %v", i, err)
			}
			fds, err := i.Take(handover.Peer{Release: "a test", Rules: true, Manager: manager})
			if n := len(fds); err != nil || n == 0 || n%4 != 0 { // two networks, two families
				t.Fatalf("%d sockets: %v", n, err)
			}
			for _, fd := range fds {
				defer unix.Close(fd)
			}
			return i
		}
		i := find()
		if err := i.Serving(); err != nil {
			t.Error(err)
		}
		i.Close()
		r.logged("handing over")
		eventually(t, "it goes on", func() bool {
			line := <-r.lines
			return line["message"] == "the hand-over came to nothing; this sluice goes on"
		})
		if got := tables(t); got != ours {
			t.Errorf("tables after it: %q", got)
		}
		eventually(t, "its rules are its own", func() bool {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			return errors.Is(unix.Bind(fd, &unix.SockaddrUnix{Name: "@sluice-rules"}), unix.EADDRINUSE)
		})

		i = find()
		defer i.Close()
		if err := errors.Join(i.Serving(), i.Ready()); err != nil {
			t.Error(err)
		}
		r.logged("handing over")
		r.logged("handed over; draining")
		r.told(fmt.Sprintf("MAINPID=%d", os.Getpid()))
		r.logged("stopped")
		if err := r.cmd.Wait(); err != nil {
			t.Error(err)
		}
		if got := tables(t); got != ours {
			t.Errorf("tables after the end: %q", got)
		}
	})
}

// TestDetach asserts that --detach returns when what it started is ready, which
// lives on without a password that others see, and fails where that ends.
func TestDetach(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	program := buildProgram(t)
	cmd := exec.Command("sh", "-c", `ip link set lo up; "$@" --redirect :12345; echo "status $?"; "$@" --redirect :12345 --takeover off; echo "status $?"; read end`,
		"sh", program, "run", "--log-format", "json", "--detach", "--mark", "0", "--upstream", secretURL)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(out)
	for _, want := range []string{"status 0", "status 1"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("it says %q, want %q", lines.Text(), want)
		}
	}
	within(t, cmd.Process.Pid, func() {
		i, err := handover.Find([]string{"tcp-[::]:12345"}, os.Getuid())
		if err != nil || i == nil {
			t.Fatalf("found %v, %v", i, err)
		}
		defer i.Close()
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", i.Peer().PID)); err != nil || strings.Contains(string(text), "detach") || strings.Contains(string(text), "mystery") {
			t.Errorf("it runs as %q, %v", text, err)
		}
		if err := unix.Kill(i.Peer().PID, unix.SIGTERM); err != nil {
			t.Error(err)
		}
		eventually(t, "it ends", func() bool { return unix.Kill(i.Peer().PID, 0) != nil || isZombie(i.Peer().PID) })
	})
}

// isZombie tells whether a process has ended, and nobody has waited for it.
func isZombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	return err != nil || strings.HasPrefix(rest, "Z")
}
