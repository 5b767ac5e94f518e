package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func address(t *testing.T, text string) Address {
	t.Helper()
	var a Address
	if err := a.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return a
}

func self() Owner { return Owner{os.Geteuid(), os.Getegid()} }

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "off": "off", "/run/x": "/run/x", "/run/sluice/../x.sock": "/run/x.sock", "127.0.0.1:9090": "127.0.0.1:9090", "[::1]:9090": "[::1]:9090",
		"[::ffff:127.0.0.1]:9090": "127.0.0.1:9090", "0.0.0.0:1": "0.0.0.0:1",
	} {
		if got := address(t, text).String(); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	for _, text := range []string{":9090", "9090", "localhost:9090", "127.0.0.1", "127.0.0.1:0", "[fe80::1%lo]:1", "on", "./x", "x/y"} {
		if err := new(Address).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestListenUnix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "control.sock")
	a := address(t, path)
	l, _, err := Listen(a, self(), nil)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != socketMode || info.Mode().Type() != os.ModeSocket {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if l.Alone() != dir {
		t.Errorf("alone in %q", l.Alone())
	}
	var inUse *InUseError
	if _, _, err := Listen(a, self(), nil); !errors.As(err, &inUse) || inUse.PID != os.Getpid() {
		t.Errorf("a second one: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), nil, 0o600); err != nil || l.Alone() != "" {
		t.Errorf("alone beside another file: %v", err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// TestListenReplacesWhatWasAbandoned: as kill -9 leaves it.
func TestListenReplacesWhatWasAbandoned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	l, _, err := Listen(address(t, path), self(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answers(t, path, l)
}

// answers has a connection to path arrive at a listener.
func answers(t *testing.T, path string, l net.Listener) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	got.Close()
}

func TestListenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		file: "no socket",
		dir:  "no socket",
		filepath.Join(dir, "none", "control.sock"):   "make it first",
		filepath.Join(file, "control.sock"):          "not a directory",
		filepath.Join(dir, strings.Repeat("x", 200)): "take a shorter one",
	} {
		if _, _, err := Listen(address(t, path), self(), nil); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file: %q, %v", text, err)
	}
}

// TestListenBeforeItsAddress: as a gateway's LAN has it later.
func TestListenBeforeItsAddress(t *testing.T) {
	for _, text := range []string{"198.51.100.77:9090", "[2001:db8::77]:9090"} {
		l, _, err := Listen(address(t, text), self(), nil)
		if err != nil {
			t.Error(err)
			continue
		}
		l.Close()
	}
}

// TestListenInherits: who follows has the same socket, and the one that ends first
// leaves the path.
func TestListenInherits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	for _, text := range []string{path, "127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		a := Address{path: path}
		if text != path {
			network := "tcp"
			if strings.HasPrefix(text, "0.") {
				network = "tcp4"
			}
			free, err := net.Listen(network, text)
			if err != nil {
				t.Fatal(err)
			}
			a = address(t, free.Addr().String())
			free.Close()
		}
		first, _, err := Listen(a, self(), nil)
		if err != nil {
			t.Fatal(err)
		}
		other, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := first.FD()
		if err != nil {
			t.Fatal(err)
		}
		handed, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		second, rest, err := Listen(a, self(), []int{other, handed})
		if err != nil || len(rest) != 1 || rest[0] != other {
			t.Fatalf("%s: %v left, %v", text, rest, err)
		}
		unix.Close(other)
		first.Close()
		c, err := net.Dial(second.Addr().Network(), second.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := second.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if text == path { // whoAnswers of the first came before
			got.Close()
			if got, err = second.Accept(); err != nil {
				t.Fatal(err)
			}
		}
		got.Close()
		c.Close()
		second.Close()
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: left behind: %v", text, err)
		}
	}
}
