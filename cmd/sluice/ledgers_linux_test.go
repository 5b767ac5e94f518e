package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// flowLine is what a test reads of an access log.
type flowLine struct {
	ID, Network, Cause, Client, Destination, Dialed, Source, Outbound string
	Time, Started                                                     time.Time
	BytesUp                                                           int `json:"bytes_up"`
	BytesDown                                                         int `json:"bytes_down"`
	DatagramsUp                                                       int `json:"datagrams_up"`
	DatagramsDown                                                     int `json:"datagrams_down"`
}

// flowLines are those of files, by the client's address.
func flowLines(t *testing.T, paths ...string) map[string]flowLine {
	t.Helper()
	all := map[string]flowLine{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var f flowLine
			if err := json.Unmarshal(line, &f); err != nil {
				t.Fatalf("%s: %v: %s", path, err, line)
			}
			if _, twice := all[f.Network+f.Client]; twice {
				t.Errorf("%s is written twice", f.Client)
			}
			all[f.Network+f.Client] = f
		}
	}
	return all
}

// answering serves TCP and UDP at one port: of what comes, it says each byte twice.
func answering(t *testing.T) (at string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	u, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	twice := func(b []byte) []byte { return bytes.Repeat(b, 2) }
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for b := make([]byte, 4096); ; {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					c.Write(twice(b[:n]))
				}
			}()
		}
	}()
	go func() {
		for b := make([]byte, 4096); ; {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			u.WriteTo(twice(b[:n]), from)
		}
	}()
	return l.Addr().String()
}

// ask sends so many bytes, and waits for twice as many.
func ask(t *testing.T, c net.Conn, n int) {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 2*n)); err != nil {
		t.Fatal(err)
	}
}

// talk opens flows through at, of 100 bytes and one more each, and notes how many
// bytes went up by the client's address.
func talk(t *testing.T, at string, tcp, udp int, sent map[string]int) (conns []net.Conn) {
	t.Helper()
	for i := range tcp + udp {
		network := "tcp"
		if i >= tcp {
			network = "udp"
		}
		c, err := net.Dial(network, at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		n := 100 + i
		ask(t, c, n)
		sent[network+c.LocalAddr().String()] = n
		conns = append(conns, c)
	}
	return conns
}

// startLedger runs the program between the test and a server at dest, without a
// namespace, until it carries.
func startLedger(t *testing.T, program, at, dest string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, append([]string{"run", "--forward", at + "=" + dest, "--allow-local", "--mark", "0", "--drain-timeout", "0s"}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	eventually(t, "it is ready", func() bool { return ready(at) })
	return cmd
}

// ready tells whether something listens, without a connection that would be a flow.
func ready(at string) bool {
	_, port, _ := strings.Cut(at, ":")
	n, _ := strconv.Atoi(port)
	table, _ := os.ReadFile("/proc/self/net/tcp")
	return bytes.Contains(table, fmt.Appendf(nil, ":%04X 00000000:0000 0A ", n))
}

// TestLedgers has every flow be in the access log once, with what the test sent and
// got, across a rotation by logrotate, and to the end; and with the collector.
func TestLedgers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("to become another user takes root")
	}
	program, dir := buildProgram(t), t.TempDir()
	const nobody = 65534
	logs := filepath.Join(dir, "logs")
	if err := os.Mkdir(logs, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(logs, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	forUsers(t, dir)
	path := filepath.Join(logs, "access.log")
	flows, collected := startCollector(t)
	at, dest := freePort(t), answering(t)
	cmd := startLedger(t, program, at, dest, "--user", "nobody", "--confine", "require", "--access-log", path, "--ipfix", flows)
	sent := map[string]int{}
	for _, c := range talk(t, at, 30, 10, sent)[:20] {
		c.Close()
	}
	eventually(t, "20 lines", func() bool { return len(flowLines(t, path)) == 20 })
	rotate(t, logs, cmd.Process.Pid)
	eventually(t, "a file of its own making", func() bool { _, err := os.Stat(path); return err == nil })
	for _, c := range talk(t, at, 20, 0, sent) {
		c.Close()
	}
	eventually(t, "20 more", func() bool { return len(flowLines(t, path)) == 20 })
	cmd.Process.Signal(syscall.SIGTERM) // 10 connections and 10 sessions are open
	if status := exits(t, cmd); status != 0 {
		t.Errorf("exit status %d", status)
	}
	compareFlows(t, flowLines(t, path, path+".1"), sent, at, dest)
	up, down := 0, 0
	for _, n := range sent {
		up, down = up+n, down+2*n
	}
	if n, gotUp, gotDown := collected(); n != len(sent) || gotUp != up || gotDown != down {
		t.Errorf("the collector has %d flows, %d bytes up, %d down; want %d, %d, %d", n, gotUp, gotDown, len(sent), up, down)
	}
}

func compareFlows(t *testing.T, lines map[string]flowLine, sent map[string]int, at, dest string) {
	t.Helper()
	if len(lines) != len(sent) {
		t.Errorf("%d lines of %d flows", len(lines), len(sent))
	}
	cut := 0
	for client, n := range sent {
		f := lines[client]
		if f.BytesUp != n || f.BytesDown != 2*n || f.Destination != at || f.Dialed != dest || f.ID == "" || f.Cause == "" ||
			time.Since(f.Started) > time.Minute || f.Time.Before(f.Started) || f.Network == "udp" && (f.DatagramsUp != 1 || f.DatagramsDown != 1) {
			t.Errorf("%s sent %d bytes: %+v", client, n, f)
		}
		if strings.HasSuffix(f.Cause, "_cut_at_stop") {
			cut++
		}
	}
	if cut != 20 {
		t.Errorf("%d flows were cut off by the end, want 20", cut)
	}
}

// rotate has logrotate do what the package has it do, for a process of that user.
func rotate(t *testing.T, logs string, pid int) {
	t.Helper()
	text, err := os.ReadFile("package/sluice.logrotate")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("/var/log/sluice", logs, "su sluice sluice", "su nobody nogroup",
		"$(systemctl show --property=MainPID --value sluice.service)", strconv.Itoa(pid)).Replace(string(text))
	if !strings.Contains(config, "pid="+strconv.Itoa(pid)+" ") {
		t.Fatalf("the package's configuration asks otherwise for the process:\n%s", text)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "sluice")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := output(t, "logrotate", "--force", "--state", filepath.Join(dir, "state"), file); out != "" {
		t.Errorf("logrotate: %s", out)
	}
	if _, err := os.Stat(filepath.Join(logs, "access.log.1")); err != nil {
		t.Fatal(err)
	}
}

// startCollector runs nfcapd at an address, and returns what it has collected in the
// end: flows, and bytes each way.
func startCollector(t *testing.T) (at string, collected func() (flows, up, down int)) {
	t.Helper()
	dir, at := t.TempDir(), freePort(t)
	_, port, _ := strings.Cut(at, ":")
	collect := exec.Command("nfcapd", "-w", dir, "-b", "127.0.0.1", "-p", port, "-t", "3600", "-P", filepath.Join(dir, "pid"))
	if err := collect.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { collect.Process.Kill() })
	n, _ := strconv.Atoi(port)
	taken := func() bool { // it listens, and nothing waits for it
		table, _ := os.ReadFile("/proc/self/net/udp")
		return bytes.Contains(table, fmt.Appendf(nil, ":%04X 00000000:0000 07 00000000:00000000", n))
	}
	eventually(t, "the collector listens", taken)
	return at, func() (flows, up, down int) {
		eventually(t, "the collector has taken it", taken)
		collect.Process.Signal(syscall.SIGTERM)
		exits(t, collect)
		files, _ := filepath.Glob(filepath.Join(dir, "nfcapd.*"))
		for line := range strings.Lines(output(t, "nfdump", "-R", dir, "-q", "-N", "-o", "fmt:%byt %obyt")) {
			var u, d int
			if n, _ := fmt.Sscan(line, &u, &d); n == 2 {
				flows, up, down = flows+1, up+u, down+d
			}
		}
		if len(files) == 0 {
			t.Error("the collector has no file")
		}
		return flows, up, down
	}
}

func TestLedgerFlags(t *testing.T) {
	program := buildProgram(t)
	for args, says := range map[string]string{
		"--access-log-sample 0":        "--access-log-sample: 0: want a number from 1",
		"--access-log /nonexistent/a":  "make its directory",
		"--access-log /":               "is a directory",
		"--ipfix :4739":                "neither an address nor a name",
		"--ipfix collector.example:x":  "is no port",
		"--log-format loud":            `"loud": want "auto", "console", "json" or "journald"`,
		"--access-log-sample 2 --io 1": "unknown flag --io",
	} {
		cmd := exec.Command(program, append([]string{"run", "--redirect", freePort(t), "--mark", "0"}, strings.Fields(args)...)...)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), says) {
			t.Errorf("%s: %v, %s, want %q", args, err, out, says)
		}
	}
}
