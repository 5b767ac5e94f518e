package loop

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// echoer answers each byte with a byte, and tells of every turn.
type echoer struct {
	fd   int
	lone chan int
	r    *Reactor
}

func (e *echoer) Ready(Events) {
	var b [8]byte
	for {
		n, err := unix.Read(e.fd, b[:])
		if n <= 0 || err != nil {
			return
		}
		e.lone <- e.r.poll.lone
	}
}

// afterSilence looks at the reactor when its timer has fired.
type afterSilence struct {
	r     *Reactor
	timer Timer
	lone  int
	done  chan struct{}
}

func (a *afterSilence) Expired(int64) {
	a.lone = a.r.poll.lone
	close(a.done)
}

// A reactor polls while one event comes soon after the other, hears of what is
// posted then, and sleeps again when they stop.
func TestBusyPoll(t *testing.T) {
	g, err := NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	g.SetBusyPoll(200 * time.Millisecond)
	g.Start()
	defer func() { g.Stop(); g.Wait() }()
	r := g.Reactors()[0]
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	e := &echoer{fd: fds[0], lone: make(chan int, 1), r: r}
	on(t, r, func() {
		if err := r.Add(fds[0], Readable, e); err != nil {
			t.Error(err)
		}
	})
	lone := 0
	for range 3 * loneEnough {
		if _, err := unix.Write(fds[1], []byte{1}); err != nil {
			t.Fatal(err)
		}
		lone = <-e.lone
	}
	if lone != loneEnough {
		t.Errorf("%d of %d waits count as a lone exchange", lone, loneEnough)
	}
	began := time.Now()
	on(t, r, func() {})
	if took := time.Since(began); took > 150*time.Millisecond {
		t.Errorf("a posted function waited %v for the polling to end", took)
	}
	silent := &afterSilence{r: r, done: make(chan struct{})}
	on(t, r, func() { r.Arm(&silent.timer, silent, 300*time.Millisecond) })
	await(t, silent.done)
	if silent.lone != 0 {
		t.Error("the reactor still polls")
	}
	on(t, r, func() { r.Close(fds[0]) })
}

// What a reactor does in the face of exchanges of all kinds: those whose partner
// answers within the limit are polled for from the first trial on, those whose does
// not cost a poll in vain in ever longer intervals.
func TestBusyPollTries(t *testing.T) {
	const limit = int64(100)
	exchange := func(p *busyPoll, waits int, partner func(i int) int64) (vain, hits int) {
		const waking = 300 // ns of a slow machine, more than the limit
		for i := range waits {
			share := partner(i)
			polls := p.polls()
			switch {
			case polls && share < limit:
				p.hit(1)
				hits++
				continue
			case polls:
				vain++
			}
			p.slept(1, share+waking, polls)
		}
		return vain, hits
	}
	near := func(int) int64 { return 50 }
	far := func(int) int64 { return 150 }
	p := busyPoll{limit: limit}
	if vain, hits := exchange(&p, 1000, near); vain != 0 || hits != 1000-loneEnough {
		t.Errorf("near: %d polls in vain, %d hits", vain, hits)
	}
	if vain, hits := exchange(&p, 10_000, far); vain > 17 || hits != 0 {
		t.Errorf("far: %d polls in vain, %d hits", vain, hits)
	}
	if vain, hits := exchange(&p, 3*loneMost, near); vain != 0 || hits < loneMost {
		t.Errorf("near again: %d polls in vain, %d hits", vain, hits)
	}
	often := func(i int) int64 { return 50 + 100*int64(min(1, i%20)^1) }
	if vain, hits := exchange(&p, 20_000, often); vain > 1000 || hits < 18_000 {
		t.Errorf("one in twenty is late: %d polls in vain, %d hits", vain, hits)
	}
	slow := func(int) int64 { return loneWait * limit }
	if vain, hits := exchange(&p, 1000, slow); vain > 2 || hits != 0 {
		t.Errorf("no exchange: %d polls in vain, %d hits", vain, hits)
	}
}
