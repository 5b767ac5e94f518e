package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const secretURL = "socks5://joe:mystery@192.0.2.7:1080"

// cmdline is the command line of a process, as others see it.
func cmdline(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\x00", " ")
}

// TestPasswordOffTheCommandLine asserts that nobody sees it there: of sluice, of its
// keeper, or of what --detach starts; and that a reload finds it all the same.
func TestPasswordOffTheCommandLine(t *testing.T) {
	program := buildProgram(t)
	path := writeFile(t, `{"inbounds": [{"type": "tproxy", "listen_port": 4369}]}`)
	r := startRun(t, program, "--config", path, "--upstream", secretURL, "--upstream="+secretURL, "--install-rules", "--takeover", "off")
	go io.Copy(io.Discard, r.bus)
	own, keeper := cmdline(t, r.cmd.Process.Pid), cmdline(t, keeperOf(t, r.cmd.Process.Pid))
	for _, shown := range []string{own, keeper} {
		if strings.Contains(shown, "mystery") || !strings.Contains(shown, "--config "+path) {
			t.Errorf("it runs as %s", shown)
		}
	}
	if strings.Count(own, "socks5://joe:***@192.0.2.7:1080 ") != 2 {
		t.Errorf("it runs as %s", own)
	}
	r.signal(syscall.SIGHUP)
	r.await("reloaded, no setting is different", "", "")
	if err := os.WriteFile(path, []byte(`{"inbounds": [{"type": "tproxy", "listen_port": 4369}], "outbounds": [{"type": "direct"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGHUP)
	if changes := fmt.Sprint(r.await("reloaded", "", "")["changes"]); !strings.HasPrefix(changes, "[new outbound direct: ") {
		t.Errorf("changes %s", changes)
	}
}

// TestPasswordsAreReadAgain asserts that a confined sluice finds what a file or the
// environment holds, and that nothing changes where it does not.
func TestPasswordsAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	put := func(text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(secret+".new", []byte(text), 0o600), os.Rename(secret+".new", secret)); err != nil {
			t.Fatal(err)
		}
	}
	put("mystery\n")
	t.Setenv("PROXY_PASSWORD", "mystery")
	path := writeFile(t, `{"inbounds": [{"type": "tproxy", "listen_port": 4369}], "outbounds": [
		{"type": "socks", "tag": "a", "server": "192.0.2.7", "server_port": 1080, "username": "joe", "password_file": "`+secret+`"},
		{"type": "http", "tag": "b", "server": "192.0.2.7", "server_port": 1080, "username": "joe", "password": "env:PROXY_PASSWORD"}]}`)
	r := startRun(t, buildProgram(t), "--config", path)
	go io.Copy(io.Discard, r.bus)
	put("puzzle")
	r.signal(syscall.SIGHUP)
	r.logged("reloaded, no setting is different")
	for text, want := range map[string]string{
		"":                        `outbound "a": password: ` + secret + ": empty: want a line with the password",
		strings.Repeat("x", 256):  `outbound "a": SOCKS5 has users and passwords of at most 255 bytes (RFC 1929)`,
		strings.Repeat("x", 5000): `outbound "a": password: ` + secret + ": more than 4096 bytes: no password",
	} {
		put(text)
		r.signal(syscall.SIGHUP)
		if got := r.logged("reload refused, nothing changed")["error"]; got != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGHUP)
	if got := fmt.Sprint(r.logged("reload refused, nothing changed")["error"]); !strings.HasSuffix(got, "no such file or directory") {
		t.Error(got)
	}
}

// TestPasswordInNoLine asserts that no error shows it.
func TestPasswordInNoLine(t *testing.T) {
	program := buildProgram(t)
	for _, args := range [][]string{
		{"run", "--upstream", secretURL},
		{"run", "--upstream", "socks5://joe:mystery@192.0.2.7:port", "--redirect", ":1"},
		{"run", "--upstream", secretURL, "--redirect", ":1", "--print-config"},
		{"run", "--upstream", secretURL, "--redirect", ":1", "--install-rules", "--via", "redirect", "--fail", "x"},
		{"check", "--upstream", secretURL, "x"},
		{"--upstream", secretURL},
	} {
		out, _ := exec.Command(program, args...).CombinedOutput()
		if strings.Contains(string(out), "mystery") {
			t.Errorf("%q: %s", args, out)
		}
	}
}

// await waits for a log line with a message and, where one is named, a field.
func (r *running) await(message, field, value string) map[string]any {
	r.t.Helper()
	for end := time.After(3 * patience); ; {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("it ended before it logged %q", message)
			}
			if line["message"] == message && (field == "" || fmt.Sprint(line[field]) == value) {
				return line
			}
		case <-end:
			r.t.Fatalf("nothing logged as %q with the %s %s", message, field, value)
		}
	}
}

// TestGroupTurns has a group turn to the member that answers, and asserts that what
// is down shows.
func TestGroupTurns(t *testing.T) {
	path := writeFile(t, `{"inbounds": [{"type": "tproxy", "listen_port": 4369}], "outbounds": [
		{"type": "urltest", "tag": "fastest", "outbounds": ["one", "two"], "url": "192.0.2.1:80", "interval": "1s"},
		{"type": "http", "tag": "one", "server": "127.0.0.1", "server_port": 3128},
		{"type": "http", "tag": "two", "server": "::1", "server_port": 3128}]}`)
	r := startRun(t, buildProgram(t), "--config", path)
	go io.Copy(io.Discard, r.bus)
	var one, two net.Listener
	within(t, r.cmd.Process.Pid, func() {
		one, two = proxyAt(t, "127.0.0.1:3128"), proxyAt(t, "[::1]:3128")
	})
	takes := func(member string) {
		t.Helper()
		r.await("a group takes this member for what is new", "member", member)
	}
	one.Close()
	takes("two")
	one = nil
	within(t, r.cmd.Process.Pid, func() { one = proxyAt(t, "127.0.0.1:3128") })
	two.Close()
	takes("one")
	for end := time.Now().Add(3 * patience); ; {
		r.signal(syscall.SIGUSR1)
		line := r.await("counters", "", "")
		if fmt.Sprint(line["outbounds_down_now"]) == "[two]" && line["outbounds_down"] != nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("counters say %v", line)
		}
		<-time.After(200 * time.Millisecond)
	}
}

// proxyAt is an HTTP proxy that says yes to whatever it is asked.
func proxyAt(t *testing.T, address string) net.Listener {
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
			conn.Close()
		}
	}()
	return l
}
