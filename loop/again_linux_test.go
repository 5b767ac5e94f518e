package loop

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asker is called again and again, and takes a while each time.
type asker struct {
	r     *Reactor
	fd    int
	takes time.Duration
	calls int
	most  int // calls after which it asks no more
}

func (a *asker) Ready(ev Events) {
	if ev == 0 {
		a.calls++
		for began := time.Now(); time.Since(began) < a.takes; {
		}
	}
	if a.calls < a.most {
		a.r.Again(a.fd)
	}
}

// newTurns returns a reactor whose turns the test runs itself, and as many
// askers as have something to be called for.
func newTurns(t *testing.T, askers int, takes time.Duration) (*Reactor, []*asker) {
	t.Helper()
	g, err := NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	r := g.Reactors()[0]
	all := make([]*asker, askers)
	for i := range all {
		a, _ := watched(t, r)
		all[i] = &asker{r: r, fd: a, takes: takes, most: 1 << 30}
		if err := r.Add(a, Readable, all[i]); err != nil {
			t.Fatal(err)
		}
		r.Again(a)
	}
	return r, all
}

// watched is a pair of sockets that the test closes at its end.
func watched(t *testing.T, r *Reactor) (a, peer int) {
	t.Helper()
	a, peer = socketpair(t)
	t.Cleanup(func() { r.Close(a); unix.Close(peer) })
	return a, peer
}

func turn(t *testing.T, r *Reactor) {
	t.Helper()
	if err := r.turn(); err != nil {
		t.Fatal(err)
	}
}

// Who asks for another call gets one, whatever number of edges made it ask: a
// turn does not grow with the edges of those that are never done.
func TestAgainIsOneCallHoweverOftenAsked(t *testing.T) {
	r, askers := newTurns(t, 1, 0)
	for range 10 {
		before := askers[0].calls
		for range 5 {
			r.Again(askers[0].fd)
		}
		turn(t, r)
		if got := askers[0].calls - before; got != 1 {
			t.Fatalf("%d calls in a turn, want 1", got)
		}
	}
}

// Turns do not block while somebody waits to be called again.
func TestAgainIsNotWaitedFor(t *testing.T) {
	r, askers := newTurns(t, 1, 0)
	askers[0].most = 5
	began := time.Now()
	for range 5 {
		turn(t, r)
	}
	if askers[0].calls != 5 || time.Since(began) > 5*time.Second {
		t.Errorf("%d calls in %v, want 5 at once", askers[0].calls, time.Since(began))
	}
}

// However many have more to do, an edge of another is answered after no more
// than one turn's length and one call of theirs; and each of them gets as many
// calls as the others.
func TestAgainLetsOthersEdgesIn(t *testing.T) {
	const askers, takes = 50, time.Duration(turnLength)
	r, bulk := newTurns(t, askers, takes)
	mouse, peer := watched(t, r)
	answered := 0
	if err := r.Add(mouse, Readable, handlerFunc(func(Events) {
		var b [8]byte
		unix.Read(mouse, b[:])
		answered++
	})); err != nil {
		t.Fatal(err)
	}
	calls := func() (sum int) {
		for _, b := range bulk {
			sum += b.calls
		}
		return sum
	}
	for n := 1; n <= 4*askers; n++ {
		if _, err := unix.Write(peer, []byte{1}); err != nil {
			t.Fatal(err)
		}
		before := calls()
		turn(t, r)
		if answered != n {
			t.Fatalf("an edge was not answered in the turn after it")
		}
		if got := calls() - before; got != 1 {
			t.Fatalf("a turn made %d calls, of which each lasts as long as a turn", got)
		}
	}
	for i, b := range bulk {
		if b.calls != 4 {
			t.Errorf("%d calls of asker %d, want 4", b.calls, i)
		}
	}
}

// What asked and was closed since is not called, nor is the next owner of its
// fd number.
func TestAgainEndsWithTheRegistration(t *testing.T) {
	r, askers := newTurns(t, 1, 0)
	r.Forget(askers[0].fd)
	turn(t, r)
	if askers[0].calls != 0 {
		t.Error("called after its registration had ended")
	}
	next := &asker{r: r, fd: askers[0].fd, most: 1}
	if err := r.Add(next.fd, 0, next); err != nil {
		t.Fatal(err)
	}
	r.Again(next.fd)
	turn(t, r)
	if next.calls != 1 {
		t.Errorf("the next owner had %d calls, want 1", next.calls)
	}
}

func TestAgainDoesNotAllocate(t *testing.T) {
	r, _ := newTurns(t, 40, 0)
	turn(t, r)
	if allocs := testing.AllocsPerRun(1000, func() {
		if err := r.turn(); err != nil {
			t.Error(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations per turn", allocs)
	}
}
