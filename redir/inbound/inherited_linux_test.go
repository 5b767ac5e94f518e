package inbound

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
)

// openFDs is how many fds the process has.
func openFDs(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// listeners are n that share a port of loopback.
func listeners(t *testing.T, n int) (fds []int, at netip.AddrPort) {
	t.Helper()
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at = free.Addr().(*net.TCPAddr).AddrPort()
	free.Close()
	for range n {
		fd, err := socket.Listen(at, false, unix.SOCK_STREAM)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	return fds, at
}

// TestOpenInherited asserts that each inherited socket has a worker, that workers
// without one get a new one, and that what no inbound wants is closed.
func TestOpenInherited(t *testing.T) {
	for _, c := range []struct{ inherited, workers int }{{1, 1}, {2, 2}, {3, 1}, {1, 3}, {5, 2}} {
		before := openFDs(t)
		fds, at := listeners(t, c.inherited)
		others, _ := listeners(t, 2)
		pipe := make([]int, 2)
		datagram, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) // bound to nothing
		if err != nil || unix.Pipe2(pipe, unix.O_CLOEXEC) != nil {
			t.Fatal("no pipe or socket: ", err)
		}
		h := Inherit(append(append(append([]int{datagram}, pipe...), others...), fds...))
		if h.Len() != c.inherited+2 {
			t.Errorf("%d sockets were inherited, want %d", h.Len(), c.inherited+2)
		}
		in := New(Spec{Kind: Redirect, Listen: at, TCP: true}, 1, Defaults{})
		if err := in.Open(c.workers, true, false, false, nil, h); err != nil {
			t.Fatal(err)
		}
		h.Close()
		got := make([]int, c.workers)
		for w := range c.workers {
			err := in.Hand(w, func(fd int, _ *Inbound) error { got[w]++; return unix.Close(fd) }, nil, nil)
			if err != nil {
				t.Error(err)
			}
		}
		sum := 0
		for _, n := range got {
			sum += n
			if least := c.inherited / c.workers; n < max(1, least) || n > least+1 {
				t.Errorf("%+v: workers have %v", c, got)
			}
		}
		if sum != max(c.inherited, c.workers) {
			t.Errorf("%+v: %d sockets", c, sum)
		}
		if after := openFDs(t); after != before {
			t.Errorf("%+v: %d fds, %d before", c, after, before)
		}
	}
}

// TestOpenWithoutInheritance asserts that a port which another has stays its own.
func TestOpenWithoutInheritance(t *testing.T) {
	fds, at := listeners(t, 1)
	defer unix.Close(fds[0])
	in := New(Spec{Kind: Redirect, Listen: at, TCP: true}, 1, Defaults{})
	var none *Inherited
	if err := in.Open(1, true, false, false, nil, none); err == nil {
		in.Close()
		t.Error("the port of another was opened")
	}
	none.Close()
}
