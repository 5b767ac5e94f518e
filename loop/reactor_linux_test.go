package loop

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func start(t *testing.T, n int) *Group {
	t.Helper()
	g, err := NewGroup(n)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	t.Cleanup(func() {
		g.Stop()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// on runs f on r's thread and waits for it.
func on(t *testing.T, r *Reactor, f func()) {
	t.Helper()
	done := make(chan struct{})
	if !r.Post(func() { f(); close(done) }) {
		t.Fatal("reactor has stopped")
	}
	await(t, done)
}

func await(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing happened for 10 s")
	}
}

func socketpair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fds[0], fds[1]
}

type handlerFunc func(Events)

func (f handlerFunc) Ready(ev Events) { f(ev) }

func TestReactorReportsEachEdgeOnce(t *testing.T) {
	g := start(t, 1)
	r := g.Reactors()[0]
	a, b := socketpair(t)
	defer unix.Close(b)
	readable := make(chan struct{}, 16)
	on(t, r, func() {
		err := r.Add(a, Readable|Writable|ReadHangup, handlerFunc(func(ev Events) {
			if ev&Readable != 0 {
				readable <- struct{}{}
			}
		}))
		if err != nil {
			t.Error(err)
		}
	})
	for range 3 {
		unix.Write(b, []byte("x"))
		await(t, readable)
	}
	on(t, r, func() { r.Close(a) })
	if len(readable) != 0 {
		t.Errorf("%d edges too many", len(readable))
	}
}

type timerFunc func(int64)

func (f timerFunc) Expired(now int64) { f(now) }

func TestTimerNeverEarly(t *testing.T) {
	g := start(t, 1)
	r := g.Reactors()[0]
	fired := make(chan struct{})
	var timer Timer
	var armed, at int64
	on(t, r, func() {
		armed = r.Now()
		r.Arm(&timer, timerFunc(func(now int64) { at = now; close(fired) }), 20*time.Millisecond)
	})
	await(t, fired)
	if took := time.Duration(at - armed); took < 20*time.Millisecond {
		t.Errorf("fired after %v", took)
	}
}

// A retired fd stays open while another reactor is in the turn in which it
// could have found it, and is closed after.
func TestRetireWaitsForOtherReactors(t *testing.T) {
	g := start(t, 2)
	owner, other := g.Reactors()[0], g.Reactors()[1]
	a, b := socketpair(t)
	defer unix.Close(b)
	entered, leave := make(chan struct{}), make(chan struct{})
	other.Post(func() { close(entered); <-leave })
	await(t, entered)
	on(t, owner, func() { owner.Retire(a) })
	on(t, owner, func() {}) // a whole turn later
	if !isOpen(a) {
		t.Fatal("closed while another reactor was in its turn")
	}
	close(leave)
	deadline := time.Now().Add(10 * time.Second)
	for isOpen(a) {
		if time.Now().After(deadline) {
			t.Fatal("never closed")
		}
		on(t, owner, func() {})
	}
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

func TestPostAfterStopIsRefused(t *testing.T) {
	g, err := NewGroup(2)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	var ran atomic.Int32
	var posters sync.WaitGroup
	var accepted atomic.Int32
	for range 8 {
		posters.Go(func() {
			for range 1000 {
				for _, r := range g.Reactors() {
					if r.Post(func() { ran.Add(1) }) {
						accepted.Add(1)
					}
				}
			}
		})
	}
	g.Stop()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	posters.Wait()
	if ran.Load() != accepted.Load() {
		t.Errorf("%d posted functions ran, %d had been accepted", ran.Load(), accepted.Load())
	}
	if g.Reactors()[0].Post(func() {}) {
		t.Error("a stopped reactor accepted a function")
	}
}

func TestGroupLeavesNoFD(t *testing.T) {
	before := openFDs(t)
	g, err := NewGroup(3)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	a, b := socketpair(t)
	on(t, g.Reactors()[2], func() { g.Reactors()[2].Retire(a) })
	unix.Close(b)
	g.Stop()
	g.Wait()
	if after := openFDs(t); after != before {
		t.Errorf("%d fds before, %d after", before, after)
	}
}

func openFDs(t *testing.T) (n int) {
	t.Helper()
	for fd := range 1024 {
		if isOpen(fd) {
			n++
		}
	}
	return n
}

func TestTurnDoesNotAllocate(t *testing.T) {
	g, err := NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	r := g.Reactors()[0]
	a, b := socketpair(t)
	defer unix.Close(a)
	defer unix.Close(b)
	var buf [8]byte
	if err := r.Add(a, Readable, handlerFunc(func(Events) { unix.Read(a, buf[:]) })); err != nil {
		t.Fatal(err)
	}
	var timer Timer
	never := timerFunc(func(int64) {})
	allocs := testing.AllocsPerRun(1000, func() {
		unix.Write(b, buf[:1])
		r.Arm(&timer, never, time.Hour)
		if err := r.turn(); err != nil {
			t.Error(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per turn", allocs)
	}
}

func BenchmarkTurn(b *testing.B) {
	g, err := NewGroup(1)
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	r := g.Reactors()[0]
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(fds[1])
	var buf [8]byte
	if err := r.Add(fds[0], Readable, handlerFunc(func(Events) { unix.Read(fds[0], buf[:]) })); err != nil {
		b.Fatal(err)
	}
	defer r.Close(fds[0])
	for b.Loop() {
		unix.Write(fds[1], buf[:1])
		r.turn()
	}
}
