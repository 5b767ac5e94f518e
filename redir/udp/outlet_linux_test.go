package udp

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/count"
	"sluice/redir/socket"
	"sluice/redir/source"
)

// strangers are a client of each family that this machine has not, and a remote.
var strangers = []struct{ client, remote string }{
	{"10.55.0.1", "127.0.0.2:0"},
	{"fd55::1", "[::1]:0"},
}

// newSourced is newRelays with an inbound whose sessions bear clients' addresses.
func newSourced(t testing.TB, n, sessions, outlets int, timeout time.Duration) *relays {
	s := newRelays(t, n, sessions, outlets, timeout)
	s.in.Path.Source = source.Source{Kind: source.Client}
	s.in.Path.Mark = 2
	s.in.Returns = true
	return s
}

// nth is a client of the same family with another address.
func nth(client string, i int) netip.Addr {
	b := netip.MustParseAddr(client).AsSlice()
	b[len(b)-2], b[len(b)-1] = byte(i>>8), byte(i)
	a, _ := netip.AddrFromSlice(b)
	return a
}

// TestOutlets has remotes see clients' own addresses and ports, by whichever worker
// they come, and clients of one port share a socket.
func TestOutlets(t *testing.T) {
	for _, c := range strangers {
		remote := newPeer(t, c.remote)
		s := newSourced(t, 2, 1000, 8, time.Minute)
		fds, n := openFDs(t), 0
		for i := range 100 {
			client := netip.AddrPortFrom(nth(c.client, i+1), 4000+uint16(i%2))
			for _, size := range sizes {
				want := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
				s.inject(i%2, client, remote.addr, want)
				if got, from := remote.take(); !bytes.Equal(got, want) || from != client {
					t.Fatalf("%d bytes: %d arrive from %s, not %s", size, len(got), from, client)
				}
				n++
			}
		}
		st := s.stats()
		if st[count.FlowsOpened] != 100 || st[count.DatagramsToUpstream] != uint64(n) || st[count.SourceFallback] != 0 {
			t.Errorf("counted %v", st)
		}
		if more := openFDs(t) - fds; more != 2 {
			t.Errorf("100 sessions of two ports, each at one of two workers, have %d fds", more)
		}
	}
}

// TestOutletsKeepOrder has runs of several clients of a port and to several
// remotes arrive whole and in order.
func TestOutletsKeepOrder(t *testing.T) {
	for _, c := range strangers {
		remote, other := newPeer(t, c.remote), newPeer(t, c.remote)
		s := newSourced(t, 1, 10, 8, time.Minute)
		const each, clients = 40, 3
		s.on(0, func() {
			for i := range each {
				for j := range clients {
					p := bytes.Repeat([]byte{byte(i)}, 100+100*(i%7/5))
					for _, dest := range []peer{remote, other} {
						s.workers[0].put(&s.in, loop.Received{Payload: p, Segment: len(p),
							Source: netip.AddrPortFrom(nth(c.client, j+1), 4000), Dest: dest.addr})
					}
				}
			}
		})
		for _, dest := range []peer{remote, other} {
			next := map[netip.AddrPort]int{}
			for range each * clients {
				got, from := dest.take()
				if i := next[from]; len(got) != 100+100*(i%7/5) || got[0] != byte(i) {
					t.Fatalf("datagram %d from %s is another one", i, from)
				}
				next[from]++
			}
		}
	}
}

// TestOutletsAreBounded has clients of more ports than there may be outlets, all
// in one turn or in many: each datagram arrives.
func TestOutletsAreBounded(t *testing.T) {
	const bound, ports = 3, 12
	remote := newPeer(t, "127.0.0.2:0")
	s := newSourced(t, 1, 100, bound, time.Minute)
	for range 3 {
		want := map[netip.AddrPort]bool{}
		s.on(0, func() {
			for i := range ports {
				client := netip.AddrPortFrom(nth("10.55.0.1", 1), 4000+uint16(i))
				s.workers[0].put(&s.in, receivedFrom(client, remote.addr))
				want[client] = true
			}
		})
		for range ports {
			_, from := remote.take()
			if !want[from] {
				t.Errorf("a datagram from %s, or a second one", from)
			}
			delete(want, from)
		}
	}
	s.on(0, func() {
		outlets := &s.workers[0].toUpstream.outlets
		if n := len(outlets.all); n != bound {
			t.Errorf("%d outlets, the bound is %d", n, bound)
		}
		s.workers[0].r.Cancel(&outlets.sweep)
		outlets.Expired(s.workers[0].r.Now() + senderIdle)
		if n := len(outlets.all); n != 0 {
			t.Errorf("%d idle outlets are left", n)
		}
	})
	if st := s.stats(); st[count.FlowsOpened] != ports {
		t.Errorf("%d sessions, want %d", st[count.FlowsOpened], ports)
	}
}

// TestOutletFallsBack sends from a port that a service holds as raw packets.
func TestOutletFallsBack(t *testing.T) {
	for _, c := range strangers {
		remote := newPeer(t, c.remote)
		client := netip.AddrPortFrom(netip.MustParseAddr(c.client), 4011)
		holdPort(t, client)
		s := newSourced(t, 1, 10, 8, time.Minute)
		for _, size := range sizes {
			want := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
			s.inject(0, client, remote.addr, want)
			if got, from := remote.take(); !bytes.Equal(got, want) || from != client {
				t.Errorf("%d bytes: %d arrive from %s, not %s", size, len(got), from, client)
			}
		}
		if st := s.stats(); st[count.OutletFallback] != uint64(len(sizes)) || st[count.DroppedSend] != 0 {
			t.Errorf("counted %v", st)
		}
	}
}

// TestSourceFallback has a client that is the machine itself: it gets the
// machine's address, or nothing.
func TestSourceFallback(t *testing.T) {
	for _, family := range families {
		client, remote := newPeer(t, family.client), newPeer(t, family.remote)
		s := newSourced(t, 1, 10, 8, time.Minute)
		s.inject(0, client.addr, remote.addr, []byte("x"))
		_, port := remote.take()
		if port == client.addr {
			t.Errorf("the remote sees %s", port)
		}
		remote.give(port, []byte("y"))
		if got, from := client.take(); string(got) != "y" || from != remote.addr {
			t.Errorf("%q from %s", got, from)
		}
		s.on(0, func() { s.workers[0].set.RequireSource = true })
		s.inject(0, netip.AddrPortFrom(client.addr.Addr(), 4012), remote.addr, []byte("x"))
		if st := s.stats(); st[count.SourceFallback] != 1 || st[count.RefusedSource] != 1 || st[count.FlowsOpened] != 1 {
			t.Errorf("counted %v", st)
		}
	}
}

// TestSourcedFlowsEnd fills their table, which is another one than that of flows
// with sockets, and lets time pass.
func TestSourcedFlowsEnd(t *testing.T) {
	remote := newPeer(t, "127.0.0.2:0")
	s := newSourced(t, 2, 10, 8, 50*time.Millisecond)
	own := netip.MustParseAddrPort("127.0.0.1:4000")
	s.inject(0, own, remote.addr, []byte("x"))
	for i := range 50 {
		s.inject(i%2, netip.AddrPortFrom(nth("10.55.0.1", i+1), 4000), remote.addr, []byte("x"))
	}
	st := s.stats()
	if st.FlowsNow() > 11 || st[count.FlowsEvicted] < 40 && st[count.FlowsClosed] < 40 {
		t.Errorf("%d flows, %d evicted, %d closed", st.FlowsNow(), st[count.FlowsEvicted], st[count.FlowsClosed])
	}
	eventually(t, "all flows expire", func() bool {
		st := s.stats()
		return st[count.FlowsOpened] == 51 && st[count.FlowsClosed] == 51
	})
}

// TestUnseenReplies has the kernel forward replies: a session that nobody is seen
// to answer is not one that nobody answers.
func TestUnseenReplies(t *testing.T) {
	remote := newPeer(t, "127.0.0.2:0")
	client := netip.AddrPortFrom(netip.MustParseAddr("10.55.0.1"), 4000)
	for _, seen := range []bool{true, false} {
		s := newSourced(t, 1, 10, 8, time.Minute)
		s.in.Returns = seen
		s.inject(0, client, remote.addr, []byte("x"))
		if e := s.shared.sourced.Lookup(nat.KeyOf(client, 0, s.in.ID)); e == nil || e.Replied() == seen {
			t.Errorf("seen %v: %v", seen, e)
		}
	}
}

// TestReturnsWithoutSession has a reply come to a client without a session: it is
// dropped, unless the session may be another process'.
func TestReturnsWithoutSession(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		remote := newPeer(t, addr)
		s := newSourced(t, 1, 10, 8, time.Minute)
		fd, err := socket.Listen(netip.MustParseAddrPort(addr), true, unix.SOCK_DGRAM)
		if err != nil {
			t.Fatal(err)
		}
		at, err := socket.LocalAddr(fd)
		if err != nil {
			t.Fatal(err)
		}
		s.on(0, func() { err = s.workers[0].ListenReturns(fd, &s.in) })
		if err != nil {
			t.Fatal(err)
		}
		for range 40 { // more than a batch
			remote.give(at, []byte("x"))
		}
		eventually(t, "all are dropped", func() bool { st := s.stats(); return st[count.DroppedReply] == 40 })
		s.on(0, func() {
			if n := len(s.workers[0].Listeners()); n != 1 {
				t.Errorf("%d listeners to show", n)
			}
			s.workers[0].UnlistenReturns(&s.in)
			if n := len(s.workers[0].returns); n != 0 {
				t.Errorf("%d listeners are left", n)
			}
		})
	}
}

// TestOutletsDoNotAllocate carries datagrams of sessions that are there.
func TestOutletsDoNotAllocate(t *testing.T) {
	remote := newPeer(t, "127.0.0.2:0")
	s := newSourced(t, 1, 100, 8, time.Minute)
	payload := make([]byte, 1200)
	var allocs float64
	s.on(0, func() {
		w := s.workers[0]
		allocs = testing.AllocsPerRun(50, func() {
			for i := range 12 {
				w.put(&s.in, loop.Received{Payload: payload, Segment: len(payload), Dest: remote.addr,
					Source: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 55, 0, byte(1 + i)}), 4000+uint16(i%3))})
			}
			w.flush()
		})
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// BenchmarkOutlets carries datagrams of 200 bytes from clients with so many ports:
// an op is a datagram, its sending over loopback included.
func BenchmarkOutlets(b *testing.B) {
	remote := newPeer(b, "127.0.0.2:0")
	for _, c := range []struct{ ports, outlets int }{{1, 64}, {16, 64}, {64, 16}} {
		b.Run(fmt.Sprintf("ports=%d/outlets=%d", c.ports, c.outlets), func(b *testing.B) {
			s := newSourced(b, 1, 1000, c.outlets, time.Minute)
			payload := make([]byte, 200)
			b.ReportAllocs()
			s.on(0, func() {
				for n := range b.N {
					s.workers[0].put(&s.in, loop.Received{Payload: payload, Segment: len(payload), Dest: remote.addr,
						Source: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 55, 0, 1}), 4000+uint16(n%c.ports))})
				}
				s.workers[0].flush()
			})
		})
	}
}
