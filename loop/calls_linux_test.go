package loop

import (
	"errors"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newCalls returns calls of a ring of their own, where the kernel has rings.
func newCalls(tb testing.TB) *Calls {
	tb.Helper()
	r, err := newRing(mostCalls)
	if err != nil {
		tb.Fatalf("%v: %s", err, RingRefusal(err))
	}
	tb.Cleanup(r.close)
	return &Calls{ring: r}
}

// pairOf returns two sockets that are joined.
func pairOf(tb testing.TB, kind int) (a, b int) {
	tb.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func TestCallsInOrder(t *testing.T) {
	c := newCalls(t)
	a, b := pairOf(t, unix.SOCK_STREAM)
	out := make([]byte, 100)
	for i := range out {
		out[i] = byte(i)
	}
	for round := range 3 { // the queues are rings: their ends are passed
		var sends []int
		for i := range 100 {
			sends = append(sends, c.Send(a, out[i:i+1], 0))
		}
		got := make([]byte, 100)
		read := c.Recv(b, got, 0)
		empty := c.Recv(b, got[:1], 0)
		c.Make()
		for _, s := range sends {
			if n, errno := c.Result(s); n != 1 || errno != 0 {
				t.Fatalf("round %d: sent %d, %v", round, n, errno)
			}
		}
		if n, errno := c.Result(read); n == 0 || errno != 0 || got[0] != 0 || got[n-1] != byte(n-1) {
			t.Fatalf("round %d: received %d, %v: %v", round, n, errno, got)
		}
		if n, errno := c.Result(empty); n == 100 || errno != 0 && errno != unix.EAGAIN {
			t.Fatalf("round %d: received %d more, %v", round, n, errno)
		}
		drain(b)
	}
}

func drain(fd int) {
	var buf [512]byte
	for {
		if n, err := unix.Read(fd, buf[:]); n <= 0 || err != nil {
			return
		}
	}
}

func TestCallsFail(t *testing.T) {
	c := newCalls(t)
	a, b := pairOf(t, unix.SOCK_STREAM)
	gone, err := unix.Dup(a)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(gone)
	calls := []int{c.Recv(gone, make([]byte, 1), 0), c.Recv(a, make([]byte, 1), 0), c.Send(b, []byte("x"), 0), c.Recv(a, make([]byte, 1), 0)}
	unix.Shutdown(a, unix.SHUT_WR)
	calls = append(calls, c.Send(a, []byte("y"), 0)) // no SIGPIPE
	c.Make()
	want := []syscall.Errno{unix.EBADF, unix.EAGAIN, 0, 0, unix.EPIPE}
	for i, call := range calls {
		if _, errno := c.Result(call); errno != want[i] {
			t.Errorf("call %d: %v, want %v", i, errno, want[i])
		}
	}
}

func TestCallsMessages(t *testing.T) {
	c := newCalls(t)
	a, b := pairOf(t, unix.SOCK_DGRAM)
	out, in := []byte("a message"), make([]byte, 64)
	header := func(b []byte) *unix.Msghdr {
		h := &unix.Msghdr{Iov: &unix.Iovec{Base: &b[0]}}
		h.Iov.SetLen(len(b))
		h.SetIovlen(1)
		return h
	}
	to, from := header(out), header(in)
	sent, got, none := c.SendMsg(a, to), c.RecvMsg(b, from), c.Recv(b, in[:1], unix.MSG_PEEK)
	c.Make()
	if n, errno := c.Result(sent); n != len(out) || errno != 0 {
		t.Errorf("sent %d, %v", n, errno)
	}
	if n, errno := c.Result(got); errno != 0 || string(in[:n]) != string(out) {
		t.Errorf("got %q, %v", in[:n], errno)
	}
	if _, errno := c.Result(none); errno != unix.EAGAIN {
		t.Errorf("there is more: %v", errno)
	}
}

// TestCallsWithoutRing asserts that what the ring does not take is done all the same,
// and in order.
func TestCallsWithoutRing(t *testing.T) {
	c := newCalls(t)
	fd := c.ring.fd
	c.ring.fd = -1
	defer func() { c.ring.fd = fd }()
	a, b := pairOf(t, unix.SOCK_STREAM)
	got := make([]byte, 8)
	for i := range 2 * mostCalls {
		out := []byte{byte(i)}
		c.Send(a, out, 0)
		read := c.Recv(b, got, 0)
		c.Make()
		if n, errno := c.Result(read); n != 1 || errno != 0 || got[0] != byte(i) {
			t.Fatalf("received %d, %v: %v", n, errno, got)
		}
		runtime.KeepAlive(out)
	}
}

// TestRingDoesNoMore asserts that the kernel refuses a ring what it was not made for.
func TestRingDoesNoMore(t *testing.T) {
	c := newCalls(t)
	const opOpenAt = 18
	file := append([]byte("/etc/passwd"), 0)
	call := c.Recv(unix.AT_FDCWD, file, 0)
	c.ring.place(call).op, c.ring.place(call).length, c.ring.place(call).opFlags = opOpenAt, 0, unix.O_RDONLY
	results := []int32{unmade}
	c.ring.submit(1)
	c.ring.complete(results, 0)
	if results[0] != -int32(unix.EACCES) {
		t.Errorf("openat answers %d", results[0])
	}
	if err := c.ring.register(registerRestrict, nil); err == nil {
		t.Error("another registration is granted")
	}
}

func TestCallsAllocateNothing(t *testing.T) {
	c := newCalls(t)
	a, b := pairOf(t, unix.SOCK_STREAM)
	msg, buf := []byte("a message"), make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		c.Send(a, msg, 0)
		c.Recv(b, buf, 0)
		c.Make()
		c.Result(1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestGroupUsesRings(t *testing.T) {
	g, err := NewGroup(2)
	if err != nil {
		t.Fatal(err)
	}
	if g.Reactors()[0].Calls() != nil {
		t.Error("there are rings that nobody asked for")
	}
	if err := g.UseRings(); err != nil {
		t.Fatal(err)
	}
	r := g.Reactors()[1]
	var made []string
	r.OnEdgesServed(func() { made = append(made, "served") })
	r.OnTurnEnd(func() { made = append(made, "ended") })
	ran := make(chan error, 1)
	a, b := pairOf(t, unix.SOCK_STREAM)
	g.Start()
	r.Post(func() {
		c := r.Calls()
		sent := c.Send(a, []byte("x"), 0)
		got := c.Recv(b, make([]byte, 1), 0)
		c.Make()
		_, failed := c.Result(sent)
		_, alsoFailed := c.Result(got)
		if failed|alsoFailed != 0 {
			ran <- errors.Join(failed, alsoFailed)
		}
		ran <- nil
	})
	select {
	case err := <-ran:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing ran")
	}
	g.Stop()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(made) < 2 || !slices.Equal(made[:2], []string{"served", "ended"}) {
		t.Errorf("hooks ran so: %v", made)
	}
	if r.Calls() != nil {
		t.Error("a ring outlives its reactor")
	}
}

// BenchmarkCalls receives a message from each of n sockets and sends it to another,
// together and one by one.
func BenchmarkCalls(b *testing.B) {
	for _, bench := range []struct {
		name  string
		n     int
		rings bool
	}{{"1/alone", 1, false}, {"1/ring", 1, true}, {"2/alone", 2, false}, {"2/ring", 2, true}, {"8/alone", 8, false}, {"8/ring", 8, true}, {"64/alone", 64, false}, {"64/ring", 64, true}} {
		b.Run(bench.name, func(b *testing.B) {
			c := newCalls(b)
			near, far := make([]int, bench.n), make([]int, bench.n)
			for i := range near {
				near[i], far[i] = pairOf(b, unix.SOCK_STREAM)
			}
			made := func() {
				if bench.rings {
					c.Make()
					return
				}
				for i := range c.n {
					c.results[i] = c.ring.place(i).direct()
				}
				c.n = 0
			}
			msg, buf := make([]byte, 150), make([]byte, 4096)
			for b.Loop() {
				for _, fd := range near {
					c.Send(fd, msg, 0)
				}
				made()
				for _, fd := range far {
					c.Recv(fd, buf, 0)
				}
				made()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*bench.n), "ns/message")
		})
	}
}
