package service

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is a socket as a service manager's, in the environment.
func manager(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NOTIFY_SOCKET", path)
	return conn
}

func hear(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	text := make([]byte, 4096)
	n, err := conn.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[:n])
}

func TestNotifier(t *testing.T) {
	abstract := fmt.Sprintf("@sluice-test-%d", os.Getpid())
	for _, path := range []string{filepath.Join(t.TempDir(), "notify"), abstract} {
		conn := manager(t, path)
		n, err := NewNotifier()
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		for _, c := range []struct {
			say  func()
			want string
		}{
			{func() { n.Ready("all\nwell") }, "READY=1\nSTATUS=all well"},
			{func() { n.Alive() }, "WATCHDOG=1"},
			{func() { n.Status("still\twell") }, `STATUS=still\twell`},
			{func() { n.Stopping("draining") }, "STOPPING=1\nSTATUS=draining"},
		} {
			c.say()
			if got := hear(t, conn); got != c.want {
				t.Errorf("%s: got %q, want %q", path, got, c.want)
			}
		}
		n.Reloading()
		text, isReload := strings.CutPrefix(hear(t, conn), "RELOADING=1\nMONOTONIC_USEC=")
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			t.Fatal(err)
		}
		usec, err := strconv.ParseInt(text, 10, 64)
		if age := now.Nano()/1000 - usec; !isReload || err != nil || age < 0 || age > 5e6 {
			t.Errorf("%s: reloading at %q, %d µs ago", path, text, age)
		}
	}
}

func TestWatchdogIsAnothers(t *testing.T) {
	manager(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "2000000")
	for pid, want := range map[string]time.Duration{
		"": 2 * time.Second, strconv.Itoa(os.Getpid()): 2 * time.Second, "1": 0,
	} {
		t.Setenv("WATCHDOG_PID", pid)
		n, err := NewNotifier()
		if err != nil {
			t.Fatal(err)
		}
		if n.Watchdog != want {
			t.Errorf("WATCHDOG_PID=%q: %v, want %v", pid, n.Watchdog, want)
		}
		n.Close()
	}
}

func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n, err := NewNotifier()
	if err != nil {
		t.Fatal(err)
	}
	n.Ready("nobody listens")
	n.Close()
	t.Setenv("NOTIFY_SOCKET", "/nonexistent/notify")
	if _, err := NewNotifier(); err == nil || !strings.Contains(err.Error(), "NOTIFY_SOCKET") {
		t.Errorf("got %v", err)
	}
}

// TestManagerThatDoesNotRead holds nobody up for long.
func TestManagerThatDoesNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	n, err := NewNotifier()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	slowest := time.Duration(0)
	for i := 0; i < 100_000 && slowest < sendPatience; i++ {
		begun := time.Now()
		n.Status("still here")
		slowest = max(slowest, time.Since(begun))
	}
	if slowest < sendPatience || slowest > 3*sendPatience {
		t.Errorf("a full queue holds up for %v", slowest)
	}
}
