package loop

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// retireMany has r retire n fds in one turn, and returns them.
func retireMany(t *testing.T, r *Reactor, n int) (fds []int) {
	t.Helper()
	for range n {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
	}
	on(t, r, func() {
		for _, fd := range fds {
			r.Retire(fd)
		}
	})
	return fds
}

// A reactor that has retired more than its share sleeps after its turn for those
// that hold its fds up, but not for ever; all fds are counted until they are
// closed.
func TestRetiringMuchWaitsForOthers(t *testing.T) {
	g, err := NewGroup(2)
	if err != nil {
		t.Fatal(err)
	}
	g.SetRetireBound(40) // 10 each
	g.Start()
	defer func() {
		g.Stop()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	}()
	owner, other := g.Reactors()[0], g.Reactors()[1]
	entered, leave := make(chan struct{}), make(chan struct{})
	other.Post(func() { close(entered); <-leave })
	await(t, entered)
	retireMany(t, owner, 9)
	if n := owner.Retired(); n != 9 {
		t.Errorf("%d retired, want 9", n)
	}
	fds := retireMany(t, owner, 20)
	const turns = 20
	begun := time.Now()
	for range turns {
		on(t, owner, func() {})
	}
	if took := time.Since(begun); took < (turns-1)*time.Duration(passMost) {
		t.Errorf("%d turns took %v: they waited for nobody", turns, took)
	}
	if n := other.Retired(); n != 29 || !isOpen(fds[0]) {
		t.Errorf("%d retired, want 29", n)
	}
	close(leave)
	on(t, other, func() {})
	deadline := time.Now().Add(10 * time.Second)
	for owner.Retired() > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d are never closed", owner.Retired())
		}
		on(t, owner, func() {})
	}
}

// Fds that are retired without pause by several reactors stay about the bound: each
// reactor lets the others pass.
func TestRetiredStayBounded(t *testing.T) {
	const reactors, bound, each, perTurn = 4, 64, 4000, 4
	g, err := NewGroup(reactors)
	if err != nil {
		t.Fatal(err)
	}
	g.SetRetireBound(bound)
	g.Start()
	most := make(chan int, reactors)
	for _, r := range g.Reactors() {
		n, seen := 0, 0
		var turn func()
		turn = func() {
			for range perTurn {
				fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
				if err != nil {
					t.Error(err)
					break
				}
				r.Retire(fd)
			}
			seen = max(seen, r.Retired())
			if n += perTurn; n < each {
				r.Post(turn)
				return
			}
			most <- seen
		}
		r.Post(turn)
	}
	for range reactors {
		select {
		case n := <-most:
			// A thread that the machine does not run for long holds all up, so the
			// bound is a goal; what each may retire in all is 16,000.
			if n > 20*bound {
				t.Errorf("%d retired at once, want about %d", n, bound)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("hangs")
		}
	}
	g.Stop()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if n := g.Reactors()[0].Retired(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

// heir adopts what it inherits, and tells.
type heir struct {
	r     *Reactor
	h     Handler
	given chan bool
}

func (h *heir) Inherit(fd int) { h.given <- h.r.Adopt(fd, h.h) }

// What is passed on is heard of by nobody while another reactor is in its turn, and
// then by whoever has adopted it, without being registered again.
func TestPassedOn(t *testing.T) {
	g, err := NewGroup(2)
	if err != nil {
		t.Fatal(err)
	}
	g.Start()
	defer func() {
		g.Stop()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	}()
	owner, other := g.Reactors()[0], g.Reactors()[1]
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	before, after := &echoer{fd: fds[0], lone: make(chan int, 9), r: owner}, &echoer{fd: fds[0], lone: make(chan int, 9), r: owner}
	h := &heir{owner, after, make(chan bool, 1)}
	on(t, owner, func() {
		if err := owner.Add(fds[0], Readable, before); err != nil {
			t.Error(err)
		}
	})
	entered, leave := make(chan struct{}), make(chan struct{})
	other.Post(func() { close(entered); <-leave })
	await(t, entered)
	on(t, owner, func() { owner.Pass(fds[0], h) })
	unix.Write(fds[1], []byte{1})
	on(t, owner, func() {})
	if len(before.lone)+len(after.lone)+len(h.given) > 0 || owner.Retired() != 1 {
		t.Errorf("somebody hears of what is passed on, or has it; %d retired", owner.Retired())
	}
	close(leave)
	if !<-h.given {
		t.Error("what is passed on is no longer registered")
	}
	unix.Write(fds[1], []byte{2})
	<-after.lone
	on(t, owner, func() {
		owner.Close(fds[0])
		if len(before.lone) > 0 || owner.Adopt(fds[0], after) {
			t.Error("who passed it on hears of it, or what is closed can be adopted")
		}
	})
}
