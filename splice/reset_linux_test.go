package splice

import (
	"errors"
	"io"
	"testing"

	"golang.org/x/sys/unix"
)

// expectReset reads to a reset, or to any length that want begins with if exact is false.
func expectReset(t *testing.T, p peer, want []byte, exact bool) {
	t.Helper()
	got, err := io.ReadAll(p)
	if !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("after %d bytes: %v, want a reset", len(got), err)
	}
	if !exact {
		want = want[:min(len(got), len(want))]
	}
	same(t, got, want)
}

// What was sent right before a reset arrives, then the reset.
func TestResetAfterData(t *testing.T) {
	everywhere(t, tcp, func(t *testing.T, network string, c Config) {
		for _, from := range []Side{A, B} {
			for _, size := range []int{0, 1, 300_000} {
				g := newRig(t, network, c).run()
				dies, lives := g.client, g.server
				if from == B {
					dies, lives = lives, dies
				}
				data := pattern(11, size)
				got := make(chan struct{})
				go func() { defer close(got); expectReset(t, lives, data, true) }()
				dies.Write(data)
				arrived(t, dies)
				reset(t, dies)
				<-got
				var moved [2]uint64
				moved[from] = uint64(size)
				g.wants(verdict{status: Broken, moved: moved, side: from, errno: unix.ECONNRESET})
			}
		}
	})
}

// The reader stalls while the writer fills everything and resets: all that the relay's kernel had is still delivered.
func TestResetBehindStalledReader(t *testing.T) {
	everywhere(t, tcp, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c)
		for _, fd := range g.fds {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 32<<10)
		}
		raw(t, g.server, func(fd int) { unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 32<<10) })
		g.run()
		const size = 150_000 // more than the pipe of one packet and the buffers towards the reader take, not more than all together
		data := pattern(12, size)
		g.client.Write(data)
		arrived(t, g.client)
		reset(t, g.client)
		expectReset(t, g.server, data, true)
		g.wants(verdict{status: Broken, moved: [2]uint64{size, 0}, side: A, errno: unix.ECONNRESET})
	})
}

// A reset of a side that had closed its half, with nothing in flight, resets the other.
func TestResetAfterHalfClose(t *testing.T) {
	everywhere(t, tcp, func(t *testing.T, network string, c Config) {
		for _, from := range []Side{A, B} {
			g := newRig(t, network, c).run()
			dies, lives := g.client, g.server
			if from == B {
				dies, lives = lives, dies
			}
			dies.Write([]byte("request"))
			must(t, dies.CloseWrite())
			expect(t, lives, []byte("request"))
			reset(t, dies)
			waitFor(t, "the reset", func() bool {
				_, err := lives.Write([]byte("late"))
				return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
			})
			v := g.verdict()
			if v.status != Broken || v.side != from || v.errno == 0 {
				t.Errorf("%+v", v)
			}
		}
	})
}

// The other way round: the side that still sends is reset, after the first half was closed.
func TestResetOfLateReply(t *testing.T) {
	everywhere(t, tcp, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c).run()
		must(t, g.client.CloseWrite())
		expect(t, g.server, nil)
		half := pattern(13, 100_000)
		go func() {
			g.server.Write(half)
			arrived(t, g.server)
			reset(t, g.server)
		}()
		expectReset(t, g.client, half, true)
		g.wants(verdict{status: Broken, moved: [2]uint64{0, 100_000}, side: B, errno: unix.ECONNRESET})
	})
}

// A side that dies while it is written to had sent something before: that still arrives.
func TestWriteFailureKeepsWhatWasSent(t *testing.T) {
	everywhere(t, tcp, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c)
		last := pattern(14, 50_000)
		g.server.Write(last)
		arrived(t, g.server)
		g.client.Write(pattern(15, 100))
		arrived(t, g.client)
		reset(t, g.server)
		waitFor(t, "the reset", func() bool {
			fds := []unix.PollFd{{Fd: int32(g.fds[B])}}
			unix.Poll(fds, 0)
			return fds[0].Revents&unix.POLLERR != 0
		})
		var r Relay
		r.Start(g.w, g.fds[A], g.fds[B])
		r.Notify(A, In)
		if s := r.Pump(); s != Broken {
			t.Errorf("%v", s)
		}
		if side, errno := r.Failed(); side != B || errno != unix.ECONNRESET || r.Moved(B) != 50_000 {
			t.Errorf("side %d, %v, %d bytes", side, errno, r.Moved(B))
		}
		r.Release()
		unix.Shutdown(g.fds[A], unix.SHUT_WR)
		expect(t, g.client, last)
		g.w.Close()
	})
}

// A send that fails on a side that lives ends the relay too, though no edge tells of it. The side's own writing half is shut
// here, as a stand-in for the errors of want (ENOBUFS, ENOMEM) and of filters (EPERM).
func TestWriteFailureOfALivingSide(t *testing.T) {
	everywhere(t, ways, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c)
		must(t, unix.Shutdown(g.fds[B], unix.SHUT_WR))
		g.client.Write(pattern(16, 100))
		arrived(t, g.client)
		var r Relay
		r.Start(g.w, g.fds[A], g.fds[B])
		r.Notify(A, In)
		if s := r.Pump(); s != Broken {
			t.Errorf("%v", s)
		}
		if side, errno := r.Failed(); side != B || errno != unix.EPIPE {
			t.Errorf("side %d, %v", side, errno)
		}
		r.Release()
		g.w.Close()
	})
}

// A FIN and a reset behind it in one edge are a reset.
func TestEndThenResetInOneEdge(t *testing.T) {
	everywhere(t, tcp, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c)
		g.client.Write([]byte("last words"))
		must(t, g.client.CloseWrite())
		arrived(t, g.client)
		reset(t, g.client)
		waitFor(t, "the reset", func() bool {
			fds := []unix.PollFd{{Fd: int32(g.fds[A])}}
			unix.Poll(fds, 0)
			return fds[0].Revents&unix.POLLERR != 0
		})
		g.run()
		expectReset(t, g.server, []byte("last words"), true)
		g.wants(verdict{status: Broken, moved: [2]uint64{10, 0}, side: A, errno: unix.EPIPE})
	})
}

func TestBothReset(t *testing.T) {
	everywhere(t, tcp, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c).run()
		both := make(chan struct{})
		go func() { defer close(both); reset(t, g.client) }()
		reset(t, g.server)
		<-both
		if v := g.verdict(); v.status != Broken {
			t.Errorf("%+v", v)
		}
	})
}
