package handover

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wires are both ends of a connection.
func wires(t *testing.T) (a, b *wire) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	end := func(fd int) *wire {
		file := os.NewFile(uintptr(fd), "wire")
		defer file.Close()
		conn, err := net.FileConn(file)
		if err != nil {
			t.Fatal(err)
		}
		w, err := newWire(conn.(*net.UnixConn))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Close)
		return w
	}
	return end(fds[0]), end(fds[1])
}

// openFDs is how many fds the process has.
func openFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// boundSockets are so many UDP sockets on loopback, closed at the end.
func boundSockets(t *testing.T, n int) (fds []int) {
	t.Helper()
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	return fds
}

func TestWireCarriesSockets(t *testing.T) {
	a, b := wires(t)
	fds := boundSockets(t, mostFDs)
	if err := a.send(message{Type: sockets, Count: len(fds)}, time.Second, fds...); err != nil {
		t.Fatal(err)
	}
	_, got, err := b.want(sockets, time.Second)
	if err != nil || len(got) != len(fds) {
		t.Fatalf("%d sockets, %v", len(got), err)
	}
	for i, fd := range got {
		here, err1 := unix.Getsockname(fds[i])
		there, err2 := unix.Getsockname(fd)
		flags, err3 := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		if here.(*unix.SockaddrInet4).Port != there.(*unix.SockaddrInet4).Port || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("socket %d: %v became %v, flags %#x", i, here, there, flags)
		}
	}
	closeAll(got)
}

// TestWireRefuses asserts that what is no message is an error, and leaves no fd.
func TestWireRefuses(t *testing.T) {
	fds := boundSockets(t, mostFDs+40)
	for name, c := range map[string]struct {
		data []byte
		fds  []int
		want string
	}{
		"not JSON":          {[]byte("hello"), nil, "invalid character"},
		"unknown type":      {[]byte(`{"type":"x"}`), fds[:3], "unknown type"},
		"sockets with none": {[]byte(`{"type":"sockets","count":3}`), nil, "0 sockets came"},
		"too many sockets":  {[]byte(`{"type":"sockets","count":104}`), fds, "sockets came"},
		"sockets where none should be": {
			[]byte(`{"type":"ready"}`), fds[:2], "bears 2 sockets"},
		"too long":   {[]byte(`{"type":"refusal","why":"` + strings.Repeat("x", 2*mostBytes) + `"}`), fds[:1], "more than"},
		"wrong type": {[]byte(`{"type":"yielded"}`), nil, "message yielded, where ready should be"},
	} {
		a, b := wires(t)
		before := openFDs(t)
		if _, _, err := a.conn.WriteMsgUnix(c.data, unix.UnixRights(c.fds...), nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, got, err := b.want(ready, time.Second)
		if err == nil || !strings.Contains(err.Error(), c.want) || got != nil {
			t.Errorf("%s: %v, %v, want %q", name, got, err, c.want)
		}
		if after := openFDs(t); after != before {
			t.Errorf("%s: %d fds, %d before", name, after, before)
		}
	}
}

// TestWireEnd asserts that what a peer said before it went is heard.
func TestWireEnd(t *testing.T) {
	a, b := wires(t)
	if err := b.send(message{Type: hello}, time.Second); err != nil { // a does not read it
		t.Fatal(err)
	}
	if err := a.send(message{Type: refusal, Why: "not today"}, time.Second); err != nil {
		t.Fatal(err)
	}
	a.Close()
	var refused *RefusedError
	if _, _, err := b.want(hello, time.Second); !errors.As(err, &refused) || refused.Why != "not today" {
		t.Errorf("got %v", err)
	}
	if _, _, err := b.want(hello, time.Second); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
	c, _ := wires(t)
	if _, _, err := c.want(hello, 10*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	if c.peer.PID != os.Getpid() || c.peer.UID != os.Getuid() {
		t.Errorf("the peer is %+v", c.peer)
	}
}
