package splice

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// everywhere runs a test over each network, in each mode.
func everywhere(t *testing.T, networks []string, test func(t *testing.T, network string, c Config)) {
	for _, network := range networks {
		for mode, name := range []string{"auto", "copy", "splice"} {
			t.Run(fmt.Sprintf("%s/%s", network, name), func(t *testing.T) { test(t, network, Config{Mode: Mode(mode)}) })
		}
	}
}

func TestBothWaysAtOnce(t *testing.T) {
	const size = 4 << 20
	everywhere(t, ways, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c).run()
		up, down := pattern(1, size), pattern(2, size+1)
		for _, end := range []struct {
			p    peer
			data []byte
		}{{g.client, up}, {g.server, down}} {
			go func() {
				if _, err := end.p.Write(end.data); err != nil {
					t.Error(err)
				}
				end.p.CloseWrite()
			}()
		}
		read := make(chan struct{})
		go func() { defer close(read); expect(t, g.client, down) }()
		expect(t, g.server, up)
		<-read
		g.wants(verdict{status: Finished, moved: [2]uint64{size, size + 1}})
		switch s := g.w.Stats(); {
		case s.Copied+s.Spliced != 2*size+1:
			t.Errorf("counted %d + %d bytes", s.Copied, s.Spliced)
		case c.Mode == Splice && s.Copied != 0, c.Mode == Copy && s.Spliced != 0:
			t.Errorf("moved in the wrong way: %+v", s)
		}
	})
}

func TestLateReplyAfterHalfClose(t *testing.T) {
	everywhere(t, ways, func(t *testing.T, network string, c Config) {
		for _, first := range []Side{A, B} {
			g := newRig(t, network, c).run()
			asks, answers := g.client, g.server
			if first == B {
				asks, answers = answers, asks
			}
			request, reply := pattern(3, 100), pattern(4, 1<<20)
			asks.Write(request)
			must(t, asks.CloseWrite())
			expect(t, answers, request)
			half := false
			g.on(func() { half = g.relay.HalfClosed() })
			if !half {
				t.Error("not half-closed")
			}
			go func() { answers.Write(reply); answers.Close() }()
			expect(t, asks, reply)
			v := g.verdict()
			if v.status != Finished || !v.shutdown[first] || v.shutdown[first.other()] {
				t.Errorf("%+v: want the first end alone passed on by shutdown", v)
			}
		}
	})
}

// One edge brings data and FIN, on both sides, before the relay looks at either.
func TestEverythingInOneEdge(t *testing.T) {
	everywhere(t, ways, func(t *testing.T, network string, c Config) {
		for _, size := range []int{0, 1, 1000, 64 << 10, 64<<10 + 1, 200_000} {
			g := newRig(t, network, c)
			up, down := pattern(5, size), pattern(6, size/2)
			wrote := make(chan struct{}, 2)
			for _, end := range []struct {
				p    peer
				data []byte
			}{{g.client, up}, {g.server, down}} {
				go func() {
					end.p.Write(end.data)
					end.p.CloseWrite()
					wrote <- struct{}{}
				}()
			}
			if size <= 1000 {
				<-wrote
				<-wrote
			}
			g.run()
			expect(t, g.server, up)
			expect(t, g.client, down)
			v := g.verdict()
			if v.status != Finished || v.moved != [2]uint64{uint64(size), uint64(size / 2)} {
				t.Errorf("%d bytes: %+v", size, v)
			}
		}
	})
}

// When both ends are known at once, close alone sends both FINs.
func TestNoShutdownWhenBothEnd(t *testing.T) {
	everywhere(t, ways, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c)
		g.client.Write([]byte("ping"))
		g.client.CloseWrite()
		g.server.Write([]byte("pong"))
		g.server.CloseWrite()
		var r Relay
		r.Start(g.w, g.fds[A], g.fds[B])
		r.Notify(A, In|InHangUp)
		r.Notify(B, In|InHangUp)
		if s := r.Pump(); s != Finished || r.dirs[A].passed || r.dirs[B].passed {
			t.Errorf("%v, passed on by shutdown: %v, %v", s, r.dirs[A].passed, r.dirs[B].passed)
		}
		if s := r.Pump(); s != Finished {
			t.Errorf("then %v", s)
		}
		r.Release()
	})
}

// A reader that stalls stops the writer; one buffer or pipe at most is held; then all arrives.
func TestStalledReaderStopsWriter(t *testing.T) {
	everywhere(t, ways, func(t *testing.T, network string, c Config) {
		g := newRig(t, network, c)
		for _, fd := range g.fds { // bound what the kernel queues
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10)
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10)
		}
		raw(t, g.server, func(fd int) { unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10) })
		raw(t, g.client, func(fd int) { unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10) })
		g.run()
		const size = 4 << 20
		data := pattern(7, size)
		go func() {
			g.client.Write(data)
			g.client.CloseWrite()
		}()
		var stats Stats
		waitFor(t, "the stall", func() bool {
			before := g.pumps.Load()
			unix.Poll(nil, 20)
			g.on(func() { stats = g.w.Stats() })
			return g.pumps.Load() == before && stats.Copied+stats.Spliced > 0
		})
		if stats.PipesHeld+stats.Residues > 1 || stats.ResidueBytes > 64<<10 {
			t.Errorf("held while stalled: %+v", stats)
		}
		if moved := stats.Copied + stats.Spliced; moved > 2<<20 {
			t.Errorf("%d bytes went through to a reader that reads nothing", moved)
		}
		expect(t, g.server, data)
		g.server.Close()
		g.wants(verdict{status: Finished, moved: [2]uint64{size, 0}})
	})
}

// After bulk, a connection that falls silent holds nothing; small messages bring it back to copying.
func TestIdleHoldsNothing(t *testing.T) {
	for _, network := range ways {
		g := newRig(t, network, Config{}).run()
		data := pattern(8, 4<<20)
		go g.client.Write(data)
		got := make([]byte, len(data))
		_, err := io.ReadFull(g.server, got)
		must(t, err)
		same(t, got, data)
		var s Stats
		g.on(func() { s = g.w.Stats() })
		if s.PipesHeld != 0 || s.Residues != 0 {
			t.Errorf("%s: idle relay holds %+v", network, s)
		}
		if s.Spliced == 0 {
			t.Errorf("%s: bulk was not spliced: %+v", network, s)
		}
		waitFor(t, "copying", func() (copying bool) { // one Pump may carry several messages
			g.client.Write([]byte("ping"))
			_, err := io.ReadFull(g.server, got[:4])
			must(t, err)
			g.on(func() { copying = g.relay.dirs[A].bulk == 0 })
			return copying
		})
		g.on(func() { g.w.Trim(); g.w.Trim(); s = g.w.Stats() })
		if s.PipesIdle != 0 {
			t.Errorf("%s: trim left %d idle pipes", network, s.PipesIdle)
		}
	}
	if size := unsafe.Sizeof(Relay{}); size > 128 {
		t.Errorf("a relay takes %d bytes", size)
	}
}

func TestBudgetYields(t *testing.T) {
	everywhere(t, ways, func(t *testing.T, network string, c Config) {
		c.Budget = 1
		c.BufferSize = 4 << 10
		g := newRig(t, network, c)
		g.client.Write(pattern(9, 40<<10))
		arrived(t, g.client)
		var r Relay
		r.Start(g.w, g.fds[A], g.fds[B])
		r.Notify(A, In)
		statuses := map[Status]int{}
		for s := Again; s == Again; statuses[s]++ {
			s = r.Pump()
		}
		if statuses[Again] == 0 || statuses[Blocked] != 1 || r.Moved(A) != 40<<10 {
			t.Errorf("%v, %d bytes", statuses, r.Moved(A))
		}
		r.Release()
		g.w.Close()
	})
}

// A Pump of a relay that never runs dry moves no more than the budget, the one read or splice that exceeds it, and what the last
// had left; so much, and no more, is waited for by others. Such a relay is heavy, one that carries messages is not.
func TestPumpIsBounded(t *testing.T) {
	const budget, largest = 128 << 10, 64 << 10 // bytes
	everywhere(t, ways, func(t *testing.T, network string, c Config) {
		c.Budget, c.BufferSize, c.PipeSize = budget, largest, largest
		g := newRig(t, network, c)
		var r Relay
		r.Start(g.w, g.fds[A], g.fds[B])
		defer g.w.Close()
		defer r.Release()
		done := make(chan struct{})
		defer func() { <-done }()
		defer g.client.Close()
		defer g.server.Close()
		go func() {
			defer close(done)
			for block := pattern(11, 1<<20); ; {
				if _, err := g.client.Write(block); err != nil {
					return
				}
			}
		}()
		go io.Copy(io.Discard, g.server)
		heavy := false
		for r.Moved(A) < 4<<20 {
			before := r.Moved(A)
			r.Notify(A, In)
			r.Notify(B, Out)
			r.Pump()
			if moved := r.Moved(A) - before; moved >= budget+2*largest {
				t.Fatalf("a Pump moved %d bytes", moved)
			}
			heavy = heavy || r.Heavy()
		}
		if !heavy {
			t.Error("a relay that moved 4 MiB was never heavy")
		}
	})
	messages := Relay{w: NewWorkspace(Config{})}
	if messages.note(1024, 1024); messages.Heavy() {
		t.Error("a relay that moved two messages is heavy")
	}
}

// Without pipes everything is copied, and counted.
func TestWithoutPipes(t *testing.T) {
	for _, network := range ways {
		g := newRig(t, network, Config{Mode: Splice})
		g.w.pipes.most = 0
		g.run()
		data := pattern(10, 1<<20)
		go func() { g.client.Write(data); g.client.Close() }()
		expect(t, g.server, data)
		g.server.Close()
		g.wants(verdict{status: Finished, moved: [2]uint64{1 << 20, 0}})
		if s := g.w.Stats(); s.Copied != 1<<20 || s.PipeMisses == 0 || s.PipesEver != 0 {
			t.Errorf("%s: %+v", network, s)
		}
	}
}

// A user beyond his share of pipe pages gets smaller pipes, then none worth having.
func TestPipesBeyondTheShare(t *testing.T) {
	if unix.Getuid() != 0 {
		t.Skip("needs root, to become a user whose pipes are not shared with anyone")
	}
	p := newPipePool(1<<20, 1000)
	var lent []*pipe
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, and its user with it
		const nobody, keep = 54321, ^uintptr(0)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, keep); errno != 0 {
			t.Error(errno)
			return
		}
		for x := p.take(widePipe); x != nil; x = p.take(widePipe) {
			lent = append(lent, x)
		}
	}()
	<-done
	if len(lent) == 0 || p.denied != 1 || p.misses != 1 || p.open != len(lent) {
		t.Errorf("%d pipes, then %d denied, %d misses", len(lent), p.denied, p.misses)
	}
	for _, x := range lent {
		if x.size < minPipeSize {
			t.Errorf("a pipe of %d bytes", x.size)
		}
		p.give(x)
	}
	p.close()
	if p.open != 0 {
		t.Errorf("%d left open", p.open)
	}
}

func TestOutOfDescriptors(t *testing.T) {
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	low := limit
	low.Cur = 3
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	p := newPipePool(minPipeSize, 1)
	got := p.take(widePipe)
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	if got != nil || p.denied != 1 || p.open != 0 {
		t.Errorf("took %v: %+v", got, p)
	}
	for range deniedHoldoff {
		if got = p.take(widePipe); got != nil {
			break
		}
	}
	if got == nil {
		t.Fatal("the pool never asked again")
	}
	p.give(got)
	p.close()
}

// A splice into a dead socket raises SIGPIPE, which must not end the process.
func TestBrokenPipeSignal(t *testing.T) {
	for _, network := range tcp {
		g := newRig(t, network, Config{Mode: Splice})
		g.client.Write([]byte("lost"))
		arrived(t, g.client)
		reset(t, g.server)
		waitFor(t, "the reset", func() bool {
			errno, err := unix.GetsockoptInt(g.fds[B], unix.SOL_SOCKET, unix.SO_ERROR) // takes ECONNRESET away, so that EPIPE is next
			return err == nil && errno != 0
		})
		var r Relay
		r.Start(g.w, g.fds[A], g.fds[B])
		r.Notify(A, In)
		if s := r.Pump(); s != Broken {
			t.Errorf("%s: %v", network, s)
		}
		if side, errno := r.Failed(); side != B || !errors.Is(errno, unix.EPIPE) {
			t.Errorf("%s: side %d, %v", network, side, errno)
		}
		r.Release()
		if s := g.w.Stats(); s.PipesHeld != 0 || s.PipesIdle != int(s.PipesEver)-1 {
			t.Errorf("%s: want the pipe with residue closed, the other pooled: %+v", network, s)
		}
		g.w.Close()
	}
}

// Where the kernel grants less than was asked for, less is taken.
func TestPipeOfTheSizeGranted(t *testing.T) {
	p := newPipe(1 << 30)
	if p == nil {
		t.Fatal("no pipe")
	}
	defer p.close()
	if size, err := unix.FcntlInt(uintptr(p.w), unix.F_GETPIPE_SZ, 0); err != nil || size != p.size || size < minPipeSize {
		t.Errorf("%d bytes, believed to be %d, %v", size, p.size, err)
	}
}

// A relay is one-way once much went one way since anything went the other.
func TestOneWay(t *testing.T) {
	r := Relay{w: NewWorkspace(Config{})}
	for i, step := range []struct {
		a, b uint64
		want bool
	}{
		{oneWayEnough - 1, 0, false}, {0, 0, false}, {1, 0, true}, {1 << 40, 0, true}, {0, 1, false},
		{0, oneWayEnough, true}, {1, 1, false}, {0, oneWayEnough - 1, false}, {0, 1, true}, {1, 0, false},
	} {
		if r.note(step.a, step.b); r.OneWay() != step.want {
			t.Errorf("step %d, %d and %d bytes: one way is %v", i, step.a, step.b, !step.want)
		}
	}
}
