package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/cmd/sluice/api"
)

// within calls f in the namespace of r: what is opened there stays there. The thread
// comes back, and does not end: with it would whatever it has started (Pdeathsig).
func (r *running) within(f func() error) {
	r.t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	open := func(path string) *os.File {
		namespace, err := os.Open(path)
		if err != nil {
			r.t.Fatal(err)
		}
		return namespace
	}
	here, there := open("/proc/thread-self/ns/net"), open(fmt.Sprintf("/proc/%d/ns/net", r.cmd.Process.Pid))
	defer here.Close()
	defer there.Close()
	err := os.NewSyscallError("setns", unix.Setns(int(there.Fd()), unix.CLONE_NEWNET))
	if err == nil {
		err = errors.Join(f(), os.NewSyscallError("setns", unix.Setns(int(here.Fd()), unix.CLONE_NEWNET)))
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// echoes are servers of both networks at one port of the namespace, which give back
// what they get.
func (r *running) echoes(at string) {
	r.within(func() error {
		l, err := net.Listen("tcp4", at)
		if err != nil {
			return err
		}
		c, err := net.ListenPacket("udp4", at)
		if err != nil {
			return err
		}
		r.t.Cleanup(func() { l.Close(); c.Close() })
		go func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				go func() { defer conn.Close(); _, _ = io.Copy(conn, conn) }()
			}
		}()
		go func() {
			data := make([]byte, 2048)
			for n, from, err := c.ReadFrom(data); err == nil; n, from, err = c.ReadFrom(data) {
				_, _ = c.WriteTo(data[:n], from)
			}
		}()
		return nil
	})
}

// exchange sends so many bytes to an address, and waits for them to come back.
func (r *running) exchange(network, at string, size int) net.Conn {
	r.t.Helper()
	var c net.Conn
	r.within(func() (err error) {
		c, err = net.Dial(network, at)
		return err
	})
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	_, err := c.Write(make([]byte, size))
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, size))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// questions are those of a program at a control socket.
type questions struct {
	t             *testing.T
	program, path string
}

// run returns what a command says.
func (a questions) run(args string) string {
	a.t.Helper()
	return output(a.t, a.program, append(strings.Fields(args), "--control", a.path)...)
}

// flows are what sluice flows tells.
func (a questions) flows(args string) (all []api.Flow) {
	a.t.Helper()
	decoder := json.NewDecoder(strings.NewReader(a.run("flows --json " + args)))
	for decoder.More() {
		var f api.Flow
		if err := decoder.Decode(&f); err != nil {
			a.t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// says checks what a command says.
func (a questions) says(args, want string) {
	a.t.Helper()
	if got := a.run(args); got != want {
		a.t.Errorf("%s: %s", args, got)
	}
}

// testControlFlows shows real flows, each with what was sent, and ends them.
func testControlFlows(t *testing.T, program string) {
	path := filepath.Join(controlDir(t, 0), "control.sock")
	r := startAnswering(t, program, "--forward", "127.0.0.1:8000=127.0.0.1:9000", "--control", path)
	r.echoes("127.0.0.1:9000")
	conns := map[string]net.Conn{}
	for i, network := range []string{"tcp4", "tcp4", "tcp4", "udp4", "udp4"} {
		c := r.exchange(network, "127.0.0.1:8000", 100*(i+1))
		conns[c.LocalAddr().String()] = c
	}
	a := questions{t, program, path}
	seen := a.flows("")
	for _, f := range seen {
		c := conns[f.Client]
		if c == nil || f.Dialed != "127.0.0.1:9000" || f.BytesUp == 0 || f.BytesUp != f.BytesDown || !strings.HasPrefix(c.LocalAddr().Network(), f.Network) {
			t.Errorf("%+v", f)
		}
	}
	biggest := a.flows("--sort bytes --limit 2")
	if len(seen) != 5 || len(biggest) != 2 || biggest[0].BytesUp != 500 || biggest[1].BytesUp != 400 {
		t.Fatalf("%d flows, the biggest %+v", len(seen), biggest)
	}
	for args, want := range map[string]int{"--network udp": 2, "--network tcp --sort age": 3, "--client " + seen[0].Client: 1, "--port 8000": 5, "--older 1h": 0, "--state unanswered": 0} {
		if got := a.flows(args); len(got) != want {
			t.Errorf("%s: %d flows, want %d", args, len(got), want)
		}
	}
	table := a.run("flows --network udp --sort bytes")
	if lines := strings.Split(strings.TrimSpace(table), "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "ID ") || !strings.HasPrefix(lines[1], biggest[0].ID) {
		t.Errorf("%s", table)
	}
	testControlKill(a, seen, conns)
	eventually(t, "no flow is left", func() bool { return len(a.flows("")) == 0 })
	if last := r.ended(); last["conns_ended_by_operator"] != 3.0 {
		t.Errorf("%v", last)
	}
}

// testControlKill ends three connections, whose clients hear of it, and two sessions.
func testControlKill(a questions, seen []api.Flow, conns map[string]net.Conn) {
	a.says("kill --network tcp --dry-run", "would end 3 flows\n")
	a.says("kill --network tcp --sort bytes --limit 1", "ended 1 flow\n")
	for _, f := range seen {
		switch {
		case f.Network != "tcp":
		case f.BytesUp < 300:
			a.says("kill "+f.ID, "ended 1 flow\n")
		default: // the biggest
			out, err := exec.Command(a.program, "kill", f.ID, "--control", a.path).CombinedOutput()
			if err == nil || !strings.Contains(string(out), f.ID+": there is no such flow") {
				a.t.Errorf("%s again: %s, %v", f.ID, out, err)
			}
		}
	}
	a.says("kill --json --client 127.0.0.0/8", "{\"ended\":2}\n")
	for _, f := range seen {
		if f.Network != "tcp" {
			continue
		}
		if _, err := conns[f.Client].Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			a.t.Errorf("%s: %v", f.ID, err)
		}
	}
}
