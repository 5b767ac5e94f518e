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
