package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// programDir is where the program is built that the tests run; every user reaches it.
var programDir = sync.OnceValues(func() (string, error) {
	above, err := os.MkdirTemp("", "sluice-test")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(above, "bin")
	return dir, errors.Join(os.Mkdir(dir, 0o755), os.Chmod(above, 0o755))
})

var built = sync.OnceValues(func() (string, error) {
	dir, err := programDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "sluice")
	return path, build(path)
})

// build builds sluice as it is released: without cgo.
func build(path string, flags ...string) error {
	build := exec.Command("go", slices.Concat([]string{"build", "-o", path}, flags, []string{"."})...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

func TestMain(m *testing.M) {
	os.Setenv("SLUICE_CONFIG", configOff) // of programs that name no files: not those of this machine
	status := m.Run()
	if dir, err := programDir(); err == nil {
		os.RemoveAll(filepath.Dir(dir))
	}
	os.Exit(status)
}

// buildProgram returns the path of the program, which is built once for all tests.
func buildProgram(t *testing.T) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// patience is how long a test waits for what should happen at once.
const patience = 10 * time.Second

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// TestFullLog asserts that sluice runs and ends also when nobody reads its log.
func TestFullLog(t *testing.T) {
	program := buildProgram(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := port.Addr().String()
	port.Close()
	cmd := exec.Command(program, "run", "--mark", "0", "--redirect", addr)
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill() })
	eventually(t, "it refuses a connection to itself", func() bool {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(time.Second))
		_, err = c.Read(make([]byte, 1))
		return errors.Is(err, syscall.ECONNRESET)
	})
	cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-exited:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it does not exit")
	}
}

// running is a `sluice run` in a network namespace of its own.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  []map[string]any    // its log until it was ready
	lines chan map[string]any // the rest
	bus   *net.UnixConn       // what it tells the service manager
}

// startRun starts it and waits until it is ready, past what it may say before.
func startRun(t *testing.T, program string, args ...string) *running {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("transparent sockets and a network namespace need root")
	}
	r := &running{t: t, lines: make(chan map[string]any, 100)}
	socket := filepath.Join(t.TempDir(), "notify")
	var err error
	if r.bus, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.bus.Close() })
	r.cmd = exec.Command("sh", append([]string{"-c", `ip link set lo up && exec "$@"`, "sh",
		program, "run", "--log-format", "json"}, args...)...)
	r.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=300000")
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		keepers := childrenOf(r.cmd.Process.Pid) // they would hold the rules of the dead
		r.cmd.Process.Kill()
		r.cmd.Wait()
		for _, keeper := range keepers {
			_ = syscall.Kill(keeper, syscall.SIGKILL)
		}
	})
	go r.read(stderr)
	eventually(t, "ready", func() bool {
		line := <-r.lines
		r.said = append(r.said, line)
		return line["message"] == "ready"
	})
	return r
}

func (r *running) read(stderr io.Reader) {
	defer close(r.lines)
	for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
		line := map[string]any{}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			line["message"] = scanner.Text()
		}
		r.lines <- line
	}
}

// logged waits for the next log line, which must have the message.
func (r *running) logged(message string) map[string]any {
	r.t.Helper()
	select {
	case line := <-r.lines:
		if line["message"] != message {
			r.t.Fatalf("logged %v, want %q", line, message)
		}
		return line
	case <-time.After(patience):
		r.t.Fatalf("nothing logged, want %q", message)
	}
	return nil
}

// told waits for a message to the service manager, and passes over the
// watchdog's and what may come in between, unless that is wanted.
func (r *running) told(want string) {
	r.t.Helper()
	text := make([]byte, 4096)
	for {
		r.bus.SetReadDeadline(time.Now().Add(patience))
		n, err := r.bus.Read(text)
		if err != nil {
			r.t.Fatalf("the service manager was not told %q: %v", want, err)
		}
		switch got := string(text[:n]); {
		case strings.HasPrefix(got, want):
			return
		case got != "WATCHDOG=1" && !strings.HasPrefix(got, "STATUS="):
			r.t.Fatalf("the service manager was told %q, want %q", got, want)
		}
	}
}

func (r *running) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// listens lists the ports of TCP listeners in the namespace: hexadecimal, as
// /proc/net/tcp has them.
func (r *running) listens() []string { return r.sockets("0A", "tcp", "tcp6") }

// listensUDP is the same for UDP.
func (r *running) listensUDP() []string { return r.sockets("07", "udp", "udp6") }

// sockets lists the local ports of the sockets in a state (TCP_LISTEN,
// TCP_CLOSE) of some of the tables of /proc/net.
func (r *running) sockets(state string, tables ...string) (ports []string) {
	r.t.Helper()
	for _, table := range tables {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", r.cmd.Process.Pid, table))
		if err != nil {
			r.t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			fields := strings.Fields(string(line))
			if _, port, ok := strings.Cut(fields[1], ":"); ok && fields[3] == state {
				ports = append(ports, port)
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// inside runs a program in the namespace and returns what it says.
func (r *running) inside(name string, args ...string) string {
	r.t.Helper()
	enter := []string{"--net", "--target", strconv.Itoa(r.cmd.Process.Pid), name}
	out, err := exec.Command("nsenter", append(enter, args...)...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// stop ends it by SIGTERM, with status 0.
func (r *running) stop() {
	r.t.Helper()
	r.signal(syscall.SIGTERM)
	r.logged("draining")
	r.told("STOPPING=1")
	r.logged("stopped")
	for line := range r.lines {
		r.t.Errorf("logged after the end: %v", line)
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Error(err)
	}
}
