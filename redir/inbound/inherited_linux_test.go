package inbound

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/redir/socket"
	"sluice/redir/source"
	"sluice/redir/upstream"
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

// TestOpenReturns asserts that there is a socket for replies of each family for
// each worker, and that those of another process are taken.
func TestOpenReturns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: transparent sockets take CAP_NET_ADMIN or CAP_NET_RAW")
	}
	const workers = 2
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).AddrPort().Port()
	free.Close()
	defaults := Defaults{Path: upstream.Path{Source: source.Source{Kind: source.Client}}}
	var fds []int
	for round := range 2 {
		h := Inherit(fds)
		in := New(Spec{Kind: TProxy, Listen: netip.AddrPortFrom(netip.Addr{}, port), UDP: true}, 1, defaults)
		if !in.Returns {
			t.Fatal("an inbound with the client's source takes no replies")
		}
		if err := in.Open(workers, false, true, in.Returns, nil, h); err != nil {
			t.Fatal(err)
		}
		if n := h.Len(); n != 0 {
			t.Errorf("%d inherited sockets are left", n)
		}
		h.Close()
		if in.Followed != (round > 0) {
			t.Errorf("round %d: followed %v", round, in.Followed)
		}
		fds = nil
		got := map[netip.AddrPort]int{}
		for w := range workers {
			err := in.Hand(w, nil, func(fd int, _ *Inbound) error { fds = append(fds, fd); return nil },
				func(fd int, _ *Inbound) error {
					fds = append(fds, fd)
					at, err := socket.LocalAddr(fd)
					got[at]++
					return err
				})
			if err != nil {
				t.Error(err)
			}
		}
		if got[netip.AddrPortFrom(Return4, port)] != workers || got[netip.AddrPortFrom(Return6, port)] != workers {
			t.Errorf("round %d: %v", round, got)
		}
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
	defaults.KernelReplies = true
	if in := New(Spec{Kind: TProxy, Listen: netip.AddrPortFrom(netip.Addr{}, port), UDP: true}, 1, defaults); in.Returns {
		t.Error("the kernel shall forward replies, and the inbound takes them")
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
