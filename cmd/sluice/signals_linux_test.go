package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// exits waits for the end of the process, and returns its exit status.
func exits(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	select {
	case <-ended:
		return cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatal("it does not exit")
	}
	return -1
}

// TestNoSignalIsLost: however many reloads were asked for before, and while
// they run, SIGTERM ends it.
func TestNoSignalIsLost(t *testing.T) {
	program := buildProgram(t)
	path := writeFile(t, `{"inbounds": [{"type": "tproxy", "listen_port": 4369}], "install_rules": true, "rules": {"iface": ["eth0"]}}`)
	for _, hangups := range []int{1, 9, 100} {
		r := startRun(t, program, "--config", path)
		go func() { // what is logged
			for range r.lines {
			}
		}()
		for range hangups {
			r.signal(syscall.SIGHUP)
			r.signal(syscall.SIGUSR1)
		}
		r.signal(syscall.SIGTERM)
		if status := exits(t, r.cmd); status != 0 {
			t.Errorf("after %d SIGHUPs: exit status %d", hangups, status)
		}
	}
}

// TestLogReaderGone: a log that nobody reads any more ends nothing.
func TestLogReaderGone(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	program := buildProgram(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "run", "--tproxy", ":4369", "--log-format", "json")
	cmd.Stderr = writer
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	writer.Close()
	line := make([]byte, 4096)
	if n, err := reader.Read(line); err != nil || !strings.Contains(string(line[:n]), "ready") {
		t.Fatalf("%s, %v", line[:n], err)
	}
	reader.Close()
	for range 20 {
		cmd.Process.Signal(syscall.SIGUSR1) // each is a line
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if status := exits(t, cmd); status != 0 {
		t.Errorf("exit status %d: %v", status, cmd.ProcessState)
	}
}

// TestFailedReactorEndsTheProcess has one wait of a reactor fail: the process
// ends with the reason, and rules that fail closed stay.
func TestFailedReactorEndsTheProcess(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("there is no strace here to make a system call fail")
	}
	program := buildProgram(t)
	for fail, left := range map[string]bool{"closed": true, "open": false} {
		r := startRun(t, program, "--tproxy", ":4369", "--install-rules", "--fail", fail, "--busy-poll", "0")
		keeper := keeperOf(t, r.cmd.Process.Pid)
		t.Cleanup(func() { syscall.Kill(keeper, syscall.SIGTERM) })                       // it holds rules that fail closed
		namespace, err := os.Open("/proc/" + strconv.Itoa(r.cmd.Process.Pid) + "/ns/net") // which lives on by it
		if err != nil {
			t.Fatal(err)
		}
		tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(r.cmd.Process.Pid) + "/task/*/syscall")
		reactor := ""
		eventually(t, "a reactor waits", func() bool {
			for _, file := range tasks {
				const eventsPerWait = "0x100"
				call, _ := os.ReadFile(file)
				if f := strings.Fields(string(call)); len(f) > 3 && f[0] == strconv.Itoa(unix.SYS_EPOLL_PWAIT) && f[3] == eventsPerWait {
					reactor = filepath.Base(filepath.Dir(file))
				}
			}
			return reactor != ""
		})
		trace := exec.Command(strace, "-qq", "-o", "/dev/null", "-p", reactor, "-e", "trace=epoll_pwait", "-e", "inject=epoll_pwait:error=ENOMEM:when=1")
		if err := trace.Start(); err != nil {
			t.Fatal(err)
		}
		last := ""
		for line := range r.lines { // its keeper may have the last
			if message, _ := line["message"].(string); strings.HasPrefix(message, "sluice") && !strings.HasPrefix(message, "sluice is gone") {
				last = message
			}
		}
		trace.Process.Kill()
		trace.Wait()
		if !strings.HasPrefix(last, "sluice: ends at once") || !strings.Contains(last, "cannot allocate memory") {
			t.Errorf("--fail %s: its last line is %q", fail, last)
		}
		if err := r.cmd.Wait(); err == nil {
			t.Errorf("--fail %s: exit status 0", fail)
		}
		if tables := tablesOf(t, namespace); strings.Contains(tables, "inet sluice") != left {
			t.Errorf("--fail %s: tables %q", fail, tables)
		}
		namespace.Close()
	}
}

// tablesOf lists the nftables tables of a network namespace.
func tablesOf(t *testing.T, namespace *os.File) string {
	t.Helper()
	list := exec.Command("nsenter", "--net=/proc/self/fd/3", "nft", "list", "tables")
	list.ExtraFiles = []*os.File{namespace}
	tables, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, tables)
	}
	return string(tables)
}
