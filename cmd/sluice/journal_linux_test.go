package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// journalAt builds a sluice whose journal is a socket of the test's.
func journalAt(t *testing.T) (program string, journal *net.UnixConn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice") // a socket's path is short, and the user reaches it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "journal")
	if journal, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { journal.Close() })
	for path, mode := range map[string]os.FileMode{dir: 0o755, socket: 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	program = filepath.Join(dir, "sluice")
	if err := build(program, "-ldflags", "-s -w -X github.com/coreos/go-systemd/v22/journal.journalSocket="+socket); err != nil {
		t.Fatal(err)
	}
	return program, journal
}

// entry waits for the next datagram of the journal, and reads it as journald does
// (systemd.io/JOURNAL_NATIVE_PROTOCOL).
func entry(t *testing.T, journal *net.UnixConn) map[string]string {
	t.Helper()
	datagram := make([]byte, 1<<16)
	journal.SetReadDeadline(time.Now().Add(patience))
	n, err := journal.Read(datagram)
	if err != nil {
		t.Fatal(err)
	}
	all, rest := map[string]string{}, string(datagram[:n])
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		name, value, isText := strings.Cut(line, "=")
		if !isText {
			size := binary.LittleEndian.Uint64([]byte(after))
			value, after = after[8:8+size], after[8+size+1:]
		}
		all[name], rest = value, after
	}
	return all
}

// runsInto starts the program in a network namespace, with that standard error.
func runsInto(t *testing.T, program string, stderr *os.File, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, append([]string{"run", "--redirect", ":4369"}, args...)...)
	cmd.Stderr, cmd.Env = stderr, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return cmd
}

// TestJournal: lines go there as entries, from a confined process of another user
// too; a journal that nobody reads holds nobody up; without one, it says so.
func TestJournal(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	program, journal := journalAt(t)
	t.Run("stream", func(t *testing.T) { journalTakesOver(t, program, journal) })
	t.Run("access log", func(t *testing.T) { journalHasFlows(t, program, journal) })
	t.Run("hangs", func(t *testing.T) { journalHangs(t, program, journal) })
	t.Run("gone", func(t *testing.T) {
		journal.Close()
		out, err := exec.Command(program, "run", "--redirect", ":4369", "--log-format", "journald").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "--log-format journald: nobody listens") {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// journalTakesOver has standard error be the journal's stream.
func journalTakesOver(t *testing.T, program string, journal *net.UnixConn) {
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(stderr.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	cmd := runsInto(t, program, stderr, []string{fmt.Sprintf("JOURNAL_STREAM=%d:%d", stat.Dev, stat.Ino)}, "--user", "nobody")
	want := func(message string) map[string]string {
		t.Helper()
		for {
			if e := entry(t, journal); strings.HasPrefix(e["MESSAGE"], message) {
				return e
			}
		}
	}
	ready := want("ready ")
	if ready["PRIORITY"] != "6" || ready["SYSLOG_IDENTIFIER"] != "sluice" || ready["SLUICE_REDIRECT"] != "[::]:4369" ||
		!strings.Contains(ready["MESSAGE"], "redirect=") || strings.Contains(ready["MESSAGE"], "\x1b") {
		t.Errorf("ready: %q", ready)
	}
	cmd.Process.Signal(syscall.SIGHUP)
	if e := want("SIGHUP: "); e["PRIORITY"] != "4" {
		t.Errorf("a warning: %q", e)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	want("draining")
	want("stopped")
	if status := exits(t, cmd); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if text, err := os.ReadFile(stderr.Name()); err != nil || len(text) > 0 {
		t.Errorf("standard error: %s, %v", text, err)
	}
}

// journalHasFlows has a flow, which comes to nothing, be an entry.
func journalHasFlows(t *testing.T, program string, journal *net.UnixConn) {
	at, dest := freePort(t), freePort(t)
	cmd := startLedger(t, program, at, dest, "--log-level", "error", "--access-log", accessLogJournal)
	client := freePort(t)
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(client))}
	conn, err := dialer.Dial("tcp", at)
	switch {
	case err == nil:
		defer conn.Close()
	case !errors.Is(err, syscall.ECONNRESET): // the reset may be there before Dial looks
		t.Fatal(err)
	}
	e := entry(t, journal)
	if e["PRIORITY"] != "6" || e["SYSLOG_IDENTIFIER"] != "sluice" || e["SLUICE_CLIENT"] != client || e["SLUICE_CAUSE"] != "upstream_refused" ||
		e["SLUICE_DIALED"] != dest || !strings.HasPrefix(e["MESSAGE"], "tcp "+client+" to "+at+" ended: upstream_refused after ") {
		t.Errorf("%q", e)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if status := exits(t, cmd); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func journalHangs(t *testing.T, program string, journal *net.UnixConn) {
	full, err := net.DialUnix("unixgram", nil, journal.LocalAddr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	full.SetWriteDeadline(time.Now().Add(time.Second / 10))
	for err == nil {
		_, err = full.Write([]byte("MESSAGE=of others"))
	}
	cmd := runsInto(t, program, os.Stderr, nil, "--log-format", "journald")
	eventually(t, "it listens", func() bool { return listensIn(cmd.Process.Pid, "1111") })
	for range 20 {
		cmd.Process.Signal(syscall.SIGUSR1)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if status := exits(t, cmd); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// listensIn tells whether the process' namespace has a TCP listener at the port, in
// hexadecimal.
func listensIn(pid int, port string) bool {
	table, _ := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp6", pid))
	return strings.Contains(string(table), ":"+port+" ")
}
