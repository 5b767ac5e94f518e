package splice

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A rig without goroutines: the test writes, pumps and reads by turns.
type still struct {
	relay        Relay
	near, far    int // fds of the peers
	client, serv peer
}

func newStill(tb testing.TB, network string, w *Workspace) *still {
	s := &still{}
	var a, b int
	s.client, a = join(tb, network)
	s.serv, b = join(tb, network)
	raw(tb, s.client, func(fd int) { s.near = fd })
	raw(tb, s.serv, func(fd int) { s.far = fd })
	s.relay.Start(w, a, b)
	tb.Cleanup(func() { s.relay.Release(); unix.Close(a); unix.Close(b) })
	return s
}

// round sends data through the relay and reads it from the other end. The peers' fds are non-blocking, and loopback delivers
// within the call that sends.
func (s *still) round(tb testing.TB, data, into []byte) {
	if n, errno := send(s.near, data, 0); n != len(data) {
		tb.Fatalf("sent %d: %v", n, errno)
	}
	s.relay.Notify(A, In)
	for s.relay.Pump() == Again {
	}
	for got := 0; got < len(data); {
		n, errno := recv(s.far, into)
		if n == 0 && errno != unix.EAGAIN {
			tb.Fatalf("received %d: %v", got, errno)
		}
		got += n
		if n == 0 {
			s.relay.Notify(B, Out)
			s.relay.Notify(A, In)
			s.relay.Pump()
		}
	}
}

func TestPumpAllocatesNothing(t *testing.T) {
	everywhere(t, networks, func(t *testing.T, network string, c Config) {
		w := NewWorkspace(c)
		defer w.Close()
		s := newStill(t, network, w)
		data, into := pattern(20, 100_000), make([]byte, 256<<10)
		for range 20 {
			s.round(t, data, into)
		}
		if n := testing.AllocsPerRun(100, func() { s.round(t, data, into) }); n != 0 {
			t.Errorf("%v allocations per round", n)
		}
		if n := testing.AllocsPerRun(100, func() { s.round(t, data[:100], into) }); n != 0 {
			t.Errorf("%v allocations per message", n)
		}
		for n := minBufferSize; n <= w.residues.largest; n *= 2 { // which class a round needs depends on the kernel's timing
			w.residues.release(w.residues.hold(make([]byte, n)))
		}
		unix.SetsockoptInt(s.relay.fd(B), unix.SOL_SOCKET, unix.SO_SNDBUF, 16<<10) // so that residues and held pipes occur
		if n := testing.AllocsPerRun(3, func() { s.round(t, data, into) }); n != 0 {
			t.Errorf("%v allocations per round into a full socket", n)
		}
	})
}
