package handover

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// estate is a Giver that writes down what it was asked.
type estate struct {
	fds   []int
	leave error
	mu    sync.Mutex // guards did
	did   []string
}

func (e *estate) note(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.did = append(e.did, what)
}

func (e *estate) steps() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.did, " ")
}

func (e *estate) Sockets() ([]int, error) {
	e.note("sockets")
	return e.fds, nil
}
func (e *estate) Leave() error { e.note("leave"); return e.leave }
func (e *estate) Retake()      { e.note("retake") }
func (e *estate) Yield() error { e.note("yield"); return nil }

// house is an incumbent with a door at a place of its own.
type house struct {
	*estate
	door    *Door
	place   string
	results chan error
}

// places are those of the tests' doors: names alone, nobody listens there.
var places atomic.Int32

func freePlace() string { return fmt.Sprintf("test-%d-%d", os.Getpid(), places.Add(1)) }

func open(t *testing.T, sockets int) *house {
	t.Helper()
	return openAs(t, &estate{fds: boundSockets(t, sockets)})
}

func openAs(t *testing.T, e *estate) *house {
	t.Helper()
	h := &house{estate: e, place: freePlace(), results: make(chan error, 10)}
	h.door = NewDoor("sluice 1", func(s *Successor) { h.results <- s.HandOver(h) })
	if err := h.door.Keep([]string{h.place}, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.door.Close)
	return h
}

// result is what the hand-over came to, for the incumbent.
func (h *house) result(t *testing.T) error {
	t.Helper()
	select {
	case err := <-h.results:
		h.door.turn.Lock() // until greet has returned
		h.door.turn.Unlock()
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the incumbent still waits")
		return nil
	}
}

func find(t *testing.T, places ...string) *Incumbent {
	t.Helper()
	i, err := Find(places, os.Getuid())
	if err != nil || i == nil {
		t.Fatalf("found %v, %v", i, err)
	}
	t.Cleanup(i.Close)
	return i
}

func take(t *testing.T, i *Incumbent, rules bool) []int {
	t.Helper()
	fds, err := i.Take(Peer{Release: "sluice 2", Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return fds
}

func TestHandOver(t *testing.T) {
	for _, n := range []int{0, 1, mostFDs, 5*mostFDs + 7} {
		before := openFDs(t)
		h := open(t, n)
		i := find(t, h.place)
		fds := take(t, i, true)
		if len(fds) != n || len(i.doors) != 1 || i.Peer().Release != "sluice 1" || i.Peer().PID != os.Getpid() {
			t.Errorf("%d listeners of %d, %d doors, from %+v", len(fds), n, len(i.doors), i.Peer())
		}
		if err := errors.Join(i.Serving(), i.Ready(), h.result(t)); err != nil {
			t.Error(err)
		}
		if got := h.steps(); got != "sockets leave yield" {
			t.Errorf("the incumbent did %q", got)
		}
		next := NewDoor("sluice 2", func(*Successor) {})
		if err := next.Keep([]string{h.place}, i.Doors()); err != nil {
			t.Error(err)
		}
		again := find(t, h.place)
		again.Close()
		next.Close()
		if none, err := Find([]string{h.place}, os.Getuid()); none != nil || err != nil {
			t.Errorf("found %v, %v after the end", none, err)
		}
		closeAll(fds)
		i.Close()
		h.door.Close()
		if after := openFDs(t); after != before+n { // h.fds
			t.Errorf("%d fds, %d before", after, before+n)
		}
	}
}

// TestHandOverFails asserts that the incumbent goes on, with its rules, wherever
// a successor stops.
func TestHandOverFails(t *testing.T) {
	for name, c := range map[string]struct {
		act  func(i *Incumbent) error
		want string // of what the incumbent does
	}{
		"without a word":      {func(i *Incumbent) error { return nil }, ""},
		"after the sockets":   {func(i *Incumbent) error { _, err := i.Take(Peer{Rules: true}); return err }, "sockets"},
		"with the rules left": {func(i *Incumbent) error { _, err := i.Take(Peer{Rules: true}); return errors.Join(err, i.Serving()) }, "sockets leave retake"},
		"without rules":       {func(i *Incumbent) error { _, err := i.Take(Peer{}); return errors.Join(err, i.Serving()) }, "sockets"},
		"with a wrong message": {func(i *Incumbent) error {
			_, err := i.Take(Peer{Rules: true})
			return errors.Join(err, i.wire.send(message{Type: ready}, time.Second))
		}, "sockets"},
	} {
		h := open(t, 3)
		i := find(t, h.place)
		if err := c.act(i); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		i.Close()
		if c.want != "" && h.result(t) == nil {
			t.Errorf("%s: the incumbent believes that it has handed over", name)
		}
		if got := h.steps(); got != c.want {
			t.Errorf("%s: the incumbent did %q, want %q", name, got, c.want)
		}
		i = find(t, h.place) // it is still there
		closeAll(take(t, i, false))
		if err := errors.Join(i.Serving(), i.Ready(), h.result(t)); err != nil {
			t.Errorf("%s: the next one: %v", name, err)
		}
	}
}

// TestRefusals asserts that each no says why.
func TestRefusals(t *testing.T) {
	h := open(t, 1)
	first := find(t, h.place)
	closeAll(take(t, first, true))
	second := find(t, h.place)
	_, err := second.Take(Peer{})
	wantRefusal(t, err, fmt.Sprintf("another one (pid %d) is about to follow", os.Getpid()))
	first.Close()
	_ = h.result(t)

	old := find(t, h.place)
	if err := old.wire.send(message{Type: hello, Version: 99, Release: "sluice 9"}, time.Second); err != nil {
		t.Fatal(err)
	}
	_, _, err = old.wire.want(hello, time.Second)
	wantRefusal(t, err, `speaks version 1 of the hand-over, and that one ("sluice 9") version 99`)

	garbled := find(t, h.place)
	if _, err := garbled.wire.conn.Write([]byte("knock")); err != nil {
		t.Fatal(err)
	}
	_, _, err = garbled.wire.want(hello, time.Second)
	wantRefusal(t, err, "invalid character")

	stubborn := openAs(t, &estate{leave: errors.New("no rules today")})
	third := find(t, stubborn.place)
	closeAll(take(t, third, true))
	wantRefusal(t, third.Serving(), "no rules today")
	if err := stubborn.result(t); !errors.Is(err, stubborn.leave) {
		t.Errorf("the incumbent: %v", err)
	}
}

func wantRefusal(t *testing.T, err error, why string) {
	t.Helper()
	var refused *RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Why, why) {
		t.Errorf("got %v, want a refusal: %s", err, why)
	}
}

// TestIncumbentOfAnotherVersion asserts that a successor names both versions.
func TestIncumbentOfAnotherVersion(t *testing.T) {
	a, b := wires(t)
	if err := a.send(message{Type: hello, Version: 7}, time.Second); err != nil {
		t.Fatal(err)
	}
	i := newIncumbent(b)
	t.Cleanup(i.Close)
	_, err := i.Take(Peer{})
	wantRefusal(t, err, "it speaks version 7 of the hand-over, and this one version 1")
}

// TestFind asserts that a process with several doors is one incumbent, and that
// nobody is none.
func TestFind(t *testing.T) {
	h, other := open(t, 0), freePlace()
	if err := h.door.Keep([]string{h.place, other}, nil); err != nil {
		t.Fatal(err)
	}
	find(t, freePlace(), h.place, other).Close()
	for _, places := range [][]string{nil, {freePlace()}} {
		if none, err := Find(places, os.Getuid()); none != nil || err != nil {
			t.Errorf("found %v, %v at %v", none, err, places)
		}
	}
	var none *Incumbent
	fds, err := none.Take(Peer{})
	if err := errors.Join(err, none.Serving(), none.Ready()); err != nil || fds != nil || none.Doors() != nil || !none.IsGone() {
		t.Errorf("nobody gave %v, %v", fds, err)
	}
	none.Close()
}

// TestStranger asserts that another user's process is neither asked nor answered.
func TestStranger(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	const nobody = 65534
	place := freePlace()
	l := listenAs(t, place, nobody)
	defer l.Close()
	var stranger *StrangerError
	if i, err := Find([]string{place}, 0); i != nil || !errors.As(err, &stranger) || stranger.Peer.UID != nobody {
		t.Errorf("found %v, %v", i, err)
	}
	h := open(t, 1)
	i, err := Find([]string{place, h.place}, 0)
	if i == nil || !errors.As(err, &stranger) {
		t.Fatalf("found %v, %v", i, err)
	}
	i.Close()
	as(nobody, func() {
		i, err := Find([]string{h.place}, nobody)
		if err != nil || i == nil {
			t.Errorf("found %v, %v", i, err)
			return
		}
		defer i.Close()
		_, err = i.Take(Peer{})
		wantRefusal(t, err, "another user")
	})
	if got := h.steps(); got != "" {
		t.Errorf("the incumbent did %q for a stranger", got)
	}
}

// listenAs listens at a door's name as another user.
func listenAs(t *testing.T, place string, uid int) (l *net.UnixListener) {
	t.Helper()
	as(uid, func() {
		var err error
		if l, err = net.ListenUnix("unixpacket", &net.UnixAddr{Name: name(place), Net: "unixpacket"}); err != nil {
			t.Error(err)
		}
	})
	if l == nil {
		t.FailNow()
	}
	return l
}

// as runs f on a thread of another user, which ends with it.
func as(uid int, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if uid != os.Getuid() {
			if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
				panic(errno)
			}
		}
		f()
	}()
	<-done
}

// TestDoorMoves asserts that a door follows the places, and goes on with those
// that stay.
func TestDoorMoves(t *testing.T) {
	h := open(t, 0)
	more := freePlace()
	if err := h.door.Keep([]string{h.place, more}, nil); err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{h.place, more} {
		find(t, place).Close()
	}
	if err := h.door.Keep([]string{more}, nil); err != nil {
		t.Fatal(err)
	}
	if i, err := Find([]string{h.place}, os.Getuid()); i != nil || err != nil {
		t.Errorf("found %v, %v", i, err)
	}
	find(t, more).Close()
	taken := NewDoor("", nil)
	defer taken.Close()
	if err := taken.Keep([]string{more, h.place}, nil); !errors.Is(err, unix.EADDRINUSE) || !strings.Contains(err.Error(), name(more)) {
		t.Errorf("got %v", err)
	}
}
