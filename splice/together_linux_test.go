package splice

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// stills are relays of one workspace, each with a message to carry.
func stills(tb testing.TB, w *Workspace, n int) (all []*still, relays []*Relay) {
	for i := range n {
		s := newStill(tb, networks[i%len(networks)], w)
		all, relays = append(all, s), append(relays, &s.relay)
	}
	return all, relays
}

// TestMoveTogether asserts that what many relays carry arrives, more of them than there are places for, and that their Pump has
// nothing left to do for it: no call of its own.
func TestMoveTogether(t *testing.T) {
	w := NewWorkspace(Config{Calls: newCalls(t)})
	defer w.Close()
	all, relays := stills(t, w, mostPlaces)
	if w.MostTogether() != mostPlaces/2 {
		t.Fatalf("%d are moved together", w.MostTogether())
	}
	for round := range 3 {
		for i, s := range all {
			question := pattern(uint64(i), 100+i+round)
			send(s.near, question, 0)
			send(s.far, question[:50], 0)
			s.relay.Notify(A, In)
			s.relay.Notify(B, In)
		}
		w.MoveTogether(relays)
		for i, s := range all {
			alone := i >= mostPlaces/2 // there are no places left
			if moved := s.relay.places != [2]uint8{}; moved == alone {
				t.Fatalf("relay %d: moved %v", i, moved)
			}
			if status := s.relay.Pump(); status != Blocked {
				t.Fatalf("relay %d is %v", i, status)
			}
			want := pattern(uint64(i), 100+i+round)
			got := make([]byte, 1000)
			if n, errno := recv(s.far, got); !bytes.Equal(got[:n], want) {
				t.Fatalf("relay %d: %d bytes arrive, %v", i, n, errno)
			}
			if n, errno := recv(s.near, got); !bytes.Equal(got[:n], want[:50]) {
				t.Fatalf("relay %d: %d bytes come back, %v", i, n, errno)
			}
			if s.relay.sides[A].seen&In != 0 || s.relay.sides[B].seen&In != 0 {
				t.Fatalf("relay %d would read again", i)
			}
		}
	}
	moved := uint64(0)
	for _, s := range all {
		moved += s.relay.Moved(A) + s.relay.Moved(B)
	}
	if got := w.Stats().Copied; got != moved {
		t.Errorf("%d bytes were copied, %d moved", got, moved)
	}
}

// TestMoveTogetherReleased asserts that a relay which is given up before its Pump, and its place taken by another, mixes up
// nothing.
func TestMoveTogetherReleased(t *testing.T) {
	w := NewWorkspace(Config{Calls: newCalls(t)})
	defer w.Close()
	all, relays := stills(t, w, 3)
	for i, s := range all {
		send(s.near, pattern(uint64(i), 500), 0)
		s.relay.Notify(A, In)
	}
	w.MoveTogether(relays)
	all[0].relay.Release()
	a, b := all[0].relay.fd(A), all[0].relay.fd(B)
	all[0].relay.Start(w, a, b)
	for i, s := range all {
		s.relay.Pump()
		if want := uint64(500); i > 0 && s.relay.Moved(A) != want || i == 0 && s.relay.Moved(A) != 0 {
			t.Errorf("relay %d has moved %d", i, s.relay.Moved(A))
		}
	}
}

// TestMoveTogetherReset asserts that what a side sent before it failed arrives, and that the failure is its own, whatever the
// write to it says.
func TestMoveTogetherReset(t *testing.T) {
	w := NewWorkspace(Config{Calls: newCalls(t)})
	defer w.Close()
	dead, living := newStill(t, "tcp4", w), newStill(t, "tcp4", w)
	send(dead.near, []byte("for nobody"), 0)
	reset(t, dead.serv)
	dead.relay.Notify(A, In)
	dead.relay.Notify(B, In|Err|HangUp|InHangUp)
	w.MoveTogether([]*Relay{&dead.relay, &living.relay})
	if status := dead.relay.Pump(); status != Broken {
		t.Fatalf("the relay is %v", status)
	}
	if side, errno := dead.relay.Failed(); side != B || errno != unix.ECONNRESET {
		t.Errorf("side %d failed: %v", side, errno)
	}
}

func TestMoveTogetherAllocatesNothing(t *testing.T) {
	w := NewWorkspace(Config{Calls: newCalls(t)})
	defer w.Close()
	all, relays := stills(t, w, 4)
	data, into := pattern(1, 500), make([]byte, 1000)
	if n := testing.AllocsPerRun(100, func() {
		for _, s := range all {
			send(s.near, data, 0)
			s.relay.Notify(A, In)
		}
		w.MoveTogether(relays)
		for _, s := range all {
			s.relay.Pump()
			recv(s.far, into)
		}
		w.Trim()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
