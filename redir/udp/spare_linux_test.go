package udp

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/nat"
	"sluice/redir/count"
)

// fdOf is that of the only session of a client.
func (s *relays) fdOf(client netip.AddrPort) (fd int32) {
	s.on(0, func() { fd = s.shared.flows.Lookup(nat.KeyOf(client, 0, 1)).Value.fd })
	return fd
}

// end ends sessions of worker 0 in one turn, of which before is the first act.
func (s *relays) end(before func(), clients ...netip.AddrPort) {
	s.on(0, func() {
		before()
		for _, client := range clients {
			if e := s.shared.flows.Lookup(nat.KeyOf(client, 0, 1)); s.shared.flows.Remove(e) {
				s.workers[0].evict(e)
			}
		}
	})
	s.on(0, func() {})
}

// kept is how many spares worker 0 has.
func (s *relays) kept() (n int) {
	s.on(0, func() { n = len(s.workers[0].spares.kept[0]) + len(s.workers[0].spares.kept[1]) })
	return n
}

// TestSparesServeOthers has a session begin on the socket of one that has ended: by
// another port, and what is sent to the one of before reaches nobody.
func TestSparesServeOthers(t *testing.T) {
	for _, family := range families {
		first, second, remote := newPeer(t, family.client), newPeer(t, family.client), newPeer(t, family.remote)
		s := newRelays(t, 1, 10, 8, time.Minute)
		other := newPeer(t, family.client)
		s.inject(0, other.addr, remote.addr, []byte("some session stays"))
		remote.take()
		s.inject(0, first.addr, remote.addr, []byte("one"))
		_, before := remote.take()
		fd := s.fdOf(first.addr)
		s.end(func() {}, first.addr)
		if n := s.kept(); n != 1 {
			t.Fatalf("%s: %d sockets are kept", family.client, n)
		}
		remote.give(before, []byte("late"))
		s.inject(0, second.addr, remote.addr, []byte("two"))
		_, port := remote.take()
		if port == before || s.fdOf(second.addr) != fd {
			t.Errorf("%s: fd %d at port %s, before %d at port %s", family.client, s.fdOf(second.addr), port, fd, before)
		}
		remote.give(before, []byte("late"))
		remote.give(port, []byte("reply"))
		if payload, from := second.take(); string(payload) != "reply" || from != remote.addr {
			t.Errorf("%s: %q from %s", family.client, payload, from)
		}
		if st := s.stats(); st[count.DatagramsToClient] != 1 {
			t.Errorf("%s: %d replies", family.client, st[count.DatagramsToClient])
		}
	}
}

// TestSparesAreQuiet ends a session while a reply waits in its socket, or an error:
// neither is the next one's.
func TestSparesAreQuiet(t *testing.T) {
	for _, family := range families {
		for _, what := range []string{"reply", "error"} {
			first, second, remote, gone := newPeer(t, family.client), newPeer(t, family.client), newPeer(t, family.remote), newPeer(t, family.other)
			s := newRelays(t, 1, 10, 8, time.Minute)
			s.inject(0, first.addr, remote.addr, []byte("one"))
			_, port := remote.take()
			gone.Close()
			s.inject(0, gone.addr, remote.addr, []byte("some session stays"))
			remote.take()
			s.end(func() {
				if what == "reply" {
					remote.give(port, []byte("late"))
					return
				}
				w := s.workers[0]
				w.put(&s.in, receivedFrom(first.addr, gone.addr))
				w.flush()
			}, first.addr)
			s.inject(0, second.addr, remote.addr, []byte("two"))
			_, port = remote.take()
			remote.give(port, []byte("reply"))
			if payload, _ := second.take(); string(payload) != "reply" {
				t.Errorf("%s: %q, want the reply", family.client, payload)
			}
			if st := s.stats(); st[count.DatagramsToClient] != 1 || s.kept() != 0 {
				t.Errorf("%s, %s: %d replies, %d sockets kept", family.client, what, st[count.DatagramsToClient], s.kept())
			}
		}
	}
}

// TestSparesAreFew ends more sessions than there may be spares, some of which cannot
// be: they have large buffers. Those that are kept go when the settings change, and
// when no session is left.
func TestSparesAreFew(t *testing.T) {
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 100, 8, 200*time.Millisecond)
	var all []netip.AddrPort
	for i := range 10 {
		all = append(all, clientAt(i))
	}
	open := func() {
		for _, client := range all {
			s.inject(0, client, remote.addr, []byte("x"))
		}
	}
	open()
	s.end(func() {}, all[1:]...)
	if n := s.kept(); n != 4 {
		t.Errorf("%d sockets are kept, want 4", n)
	}
	s.on(0, func() { s.workers[0].Set(s.workers[0].set) })
	if n := s.kept(); n != 0 {
		t.Errorf("%d sockets are kept when settings have changed", n)
	}
	for range 2 {
		s.inject(0, all[1], remote.addr, make([]byte, bulkTurn), []byte("x"))
	}
	s.end(func() {}, all[1])
	if n := s.kept(); n != 0 {
		t.Errorf("%d sockets with large buffers are kept", n)
	}
	open()
	eventually(t, "all sessions expire, and no socket is kept", func() bool { st := s.stats(); return st.FlowsNow() == 0 && s.kept() == 0 })
}

// TestSparesGiveWay has fds run out while some are kept: they serve, or are closed.
func TestSparesGiveWay(t *testing.T) {
	remote, remote6 := newPeer(t, "127.0.0.2:0"), newPeer(t, "[::1]:0")
	s := newRelays(t, 1, 100, 8, time.Minute)
	for i := range 4 {
		s.inject(0, clientAt(i), remote.addr, []byte("x"))
	}
	s.end(func() {}, clientAt(1), clientAt(2), clientAt(3))
	if n := s.kept(); n != 3 {
		t.Fatalf("%d sockets are kept", n)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	client := newPeer(t, "[::1]:0")
	s.on(0, func() {
		lowered := limit
		lowered.Cur = 3
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lowered); err != nil {
			t.Error(err)
		}
		s.workers[0].put(&s.in, receivedFrom(client.addr, remote6.addr))
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	})
	if n := s.kept(); n != 0 {
		t.Errorf("%d sockets are kept though fds have run out", n)
	}
}
