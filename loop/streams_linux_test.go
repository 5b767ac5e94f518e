package loop

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// gatherer reads what there is, and tells how many bytes each call brought.
type gatherer struct {
	fd    int
	calls chan int
}

func (g *gatherer) Ready(Events) {
	var b [4096]byte
	if n, err := unix.Read(g.fd, b[:]); n > 0 && err == nil {
		g.calls <- n
	}
}

// streamRig is a reactor that gathers for a long period, with a stream and
// another fd.
type streamRig struct {
	t             *testing.T
	r             *Reactor
	stream, other *gatherer
	peers         map[*gatherer]int
}

const testPeriod = 9 * time.Millisecond

func newStreamRig(t *testing.T) *streamRig {
	g, err := NewGroup(1)
	if err != nil {
		t.Fatal(err)
	}
	g.SetStreamPeriod(testPeriod)
	g.Start()
	rig := &streamRig{t: t, r: g.Reactors()[0], peers: map[*gatherer]int{}}
	rig.stream, rig.other = rig.add(), rig.add()
	rig.set(true)
	t.Cleanup(func() {
		on(t, rig.r, func() {
			for h, peer := range rig.peers {
				rig.r.Close(h.fd)
				unix.Close(peer)
			}
		})
		g.Stop()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	return rig
}

func (rig *streamRig) add() *gatherer {
	a, b := socketpair(rig.t)
	h := &gatherer{fd: a, calls: make(chan int, 1000)}
	rig.peers[h] = b
	on(rig.t, rig.r, func() {
		if err := rig.r.Add(a, Readable, h); err != nil {
			rig.t.Error(err)
		}
	})
	return h
}

func (rig *streamRig) set(stream bool) {
	on(rig.t, rig.r, func() { rig.r.Stream(rig.stream.fd, Readable, stream) })
}

// write sends a byte to h, and returns when the write was over.
func (rig *streamRig) write(h *gatherer) time.Time {
	rig.t.Helper()
	if _, err := unix.Write(rig.peers[h], []byte{1}); err != nil {
		rig.t.Fatal(err)
	}
	return time.Now()
}

// next is how many bytes the next call of h brings.
func (rig *streamRig) next(h *gatherer) int {
	rig.t.Helper()
	select {
	case n := <-h.calls:
		return n
	case <-time.After(10 * time.Second):
		rig.t.Fatal("a byte was waited for in vain")
	}
	return 0
}

// quickest is the least time, of some tries, from a byte for h to its handler.
func (rig *streamRig) quickest(h *gatherer, prepare func()) time.Duration {
	rig.t.Helper()
	least := time.Hour
	for range 10 {
		prepare()
		at := rig.write(h)
		rig.next(h)
		least = min(least, time.Since(at))
	}
	return least
}

// While a stream moves, many of its edges become one call, and others are served
// at once.
func TestStreamsAreGathered(t *testing.T) {
	rig := newStreamRig(t)
	stop, sent := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for tick := time.NewTicker(time.Millisecond / 4); ; n++ {
			select {
			case <-tick.C:
				unix.Write(rig.peers[rig.stream], []byte{1})
			case <-stop:
				sent <- n
				return
			}
		}
	}()
	got, calls := 0, 0
	for ; calls < 10; calls++ {
		got += rig.next(rig.stream)
	}
	if took := rig.quickest(rig.other, func() {}); took > testPeriod/2 {
		t.Errorf("another fd waited %v", took)
	}
	close(stop)
	want := <-sent
	for ; got < want; calls++ {
		got += rig.next(rig.stream)
	}
	if calls > want/4 {
		t.Errorf("%d calls for %d edges", calls, want)
	}
}

// After a pause, and once it is a stream no longer, an fd is served at once.
func TestStreamsAfterAPause(t *testing.T) {
	rig := newStreamRig(t)
	quiet := func() { unix.Poll(nil, int(3*testPeriod/time.Millisecond)) }
	if took := rig.quickest(rig.stream, quiet); took > testPeriod/2 {
		t.Errorf("the first byte after a pause waited %v", took)
	}
	rig.set(false)
	if took := rig.quickest(rig.stream, func() {}); took > testPeriod/2 {
		t.Errorf("what is no stream waited %v", took)
	}
	rig.write(rig.stream) // may be in the queue while it moves between the sets
	rig.set(true)
	rig.next(rig.stream)
}

// restless is an eventfd that is ready again each time that it was served.
type restless struct{ fd int }

func (h *restless) Ready(Events) {
	b := [8]byte{1}
	unix.Read(h.fd, b[:])
	b = [8]byte{1}
	unix.Write(h.fd, b[:])
}

// Streams have their turn also where others could fill every one.
func TestStreamsAmidFullTurns(t *testing.T) {
	rig := newStreamRig(t)
	var all []*restless
	on(t, rig.r, func() {
		for range 2 * eventsPerWait {
			fd, err := unix.Eventfd(1, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
			if err != nil {
				t.Error(err)
				return
			}
			h := &restless{fd}
			all = append(all, h)
			if err := rig.r.Add(fd, Readable, h); err != nil {
				t.Error(err)
			}
		}
	})
	for range 3 {
		rig.write(rig.stream)
		rig.next(rig.stream)
	}
	on(t, rig.r, func() {
		for _, h := range all {
			rig.r.Close(h.fd)
		}
	})
}
