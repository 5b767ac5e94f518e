package udp

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/nat"
	"sluice/redir/admit"
	"sluice/redir/count"
	"sluice/redir/inbound"
	"sluice/redir/record"
	"sluice/redir/socket"
)

// engineVariable names the engine that tests run with; where it is not set, they run
// with each.
const (
	engineVariable = "SLUICE_TEST_ENGINE"
	ringEngine     = "ring"
)

func TestMain(m *testing.M) {
	engines := []string{"epoll", ringEngine}
	if one := os.Getenv(engineVariable); one != "" {
		engines = []string{one}
	}
	failed := 0
	for _, engine := range engines {
		os.Setenv(engineVariable, engine)
		if code := m.Run(); code != 0 {
			fmt.Fprintln(os.Stderr, "that was with", engineVariable+"="+engine)
			failed = code
		}
	}
	os.Exit(failed)
}

// patience bounds every wait for something that must come.
const patience = 10 * time.Second

// eventually waits until done reports true.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// relays are workers on running reactors.
type relays struct {
	t        testing.TB
	shared   *Shared
	group    *loop.Group
	workers  []*Worker
	counters []*count.Counters // of each worker
	in       inbound.Inbound
}

// newRelays starts n workers. Datagrams are put into their slots by inject, as
// if a listener had received them, because only netfilter can make a socket
// receive what is addressed to another.
func newRelays(t testing.TB, n, sessions, writeBacks int, timeout time.Duration) *relays {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: transparent sockets take CAP_NET_ADMIN or CAP_NET_RAW")
	}
	fds := openFDs(t)
	s := &relays{t: t, in: inbound.Inbound{ID: 1, FlowTimeout: int64(timeout)}}
	s.shared = NewShared(admit.New(), admit.NewClients(), new(record.Feeds), 16, Bounds{Flows: sessions, Sourced: sessions, WriteBacks: writeBacks, Outlets: writeBacks, Spares: 4, Ending: 1024})
	group, err := loop.NewGroup(n)
	if err != nil {
		t.Fatal(err)
	}
	s.group = group
	if os.Getenv(engineVariable) == ringEngine {
		if err := group.UseRings(); err != nil {
			t.Fatalf("%v: %s", err, loop.RingRefusal(err))
		}
	}
	for _, r := range group.Reactors() {
		counters := new(count.Counters)
		self, err := admit.NewSelf(s.shared.admission)
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewWorker(s.shared, r, &Settings{Mark: 2, ICMP: true}, counters, count.NewLog(zerolog.Nop()), self)
		if err != nil {
			t.Fatal(err)
		}
		s.workers, s.counters = append(s.workers, w), append(s.counters, counters)
	}
	group.Start()
	t.Cleanup(func() {
		for i := range s.workers {
			s.on(i, func() { s.workers[i].Close(); s.workers[i].self.Close() })
		}
		group.Stop()
		if err := group.Wait(); err != nil {
			t.Error(err)
		}
		if st := s.stats(); st.FlowsNow() != 0 || s.shared.flows.Len() != 0 {
			t.Errorf("%d flows are left, %d entries", st.FlowsNow(), s.shared.flows.Len())
		}
		eventually(t, "fds are closed, those of a server in the test too", func() bool { return openFDs(t) <= fds })
	})
	return s
}

// openFDs is how many fds the process has that no test socket of package net
// is: those are made before and closed after.
func openFDs(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// stats sums what the workers have counted until the turn that they are in.
func (s *relays) stats() (sum count.Stats) {
	for i, w := range s.workers {
		done := make(chan struct{})
		if w.r.Post(func() { close(done) }) {
			<-done
		}
		sum.Collect(s.counters[i])
	}
	return sum
}

// on runs f on a worker's reactor and waits for the end of it.
func (s *relays) on(worker int, f func()) {
	s.t.Helper()
	done := make(chan struct{})
	if !s.workers[worker].r.Post(func() { f(); close(done) }) {
		s.t.Fatal("the reactor has stopped")
	}
	<-done
}

// inject has a worker receive payloads from a client, all in one turn.
func (s *relays) inject(worker int, client, dest netip.AddrPort, payloads ...[]byte) {
	s.t.Helper()
	s.on(worker, func() {
		for _, p := range payloads {
			s.workers[worker].put(&s.in, loop.Received{Payload: p, Segment: len(p), Source: client, Dest: dest})
		}
	})
}

func receivedFrom(client, dest netip.AddrPort) loop.Received {
	return loop.Received{Payload: []byte("x"), Segment: 1, Source: client, Dest: dest}
}

// put is what a listener's Ready does with one message.
func (r *Worker) put(in *inbound.Inbound, m loop.Received) {
	q := &r.toUpstream
	slot := q.used
	q.messages[slot] = m
	q.used++
	r.takeFromClient(in, int32(slot))
	if q.used == q.slots.Len() {
		r.flushUpstream()
	}
}

// peer is a socket of a client or of a remote, outside of what is tested.
type peer struct {
	*net.UDPConn
	t    testing.TB
	addr netip.AddrPort
}

func newPeer(t testing.TB, addr string) peer {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(patience))
	return peer{c, t, c.LocalAddr().(*net.UDPAddr).AddrPort()}
}

// take receives one datagram.
func (p peer) take() (payload []byte, from netip.AddrPort) {
	p.t.Helper()
	b := make([]byte, 1<<16)
	n, from, err := p.ReadFromUDPAddrPort(b)
	if err != nil {
		p.t.Fatalf("%s: %v", p.addr, err)
	}
	return b[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
}

func (p peer) give(to netip.AddrPort, payload []byte) {
	p.t.Helper()
	if _, err := p.WriteToUDPAddrPort(payload, to); err != nil {
		p.t.Fatalf("%s: %v", p.addr, err)
	}
}

// families are the loopback addresses of a client and of two remotes.
var families = []struct{ client, remote, other string }{
	{"127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"},
	{"[::1]:0", "[::1]:0", "[::1]:0"},
}

var sizes = []int{0, 1, 1200, 1472, 1473, 9000, 65507}

func TestUDPRoundTrip(t *testing.T) {
	for _, family := range families {
		client, remote := newPeer(t, family.client), newPeer(t, family.remote)
		s := newRelays(t, 1, 10, 8, time.Minute)
		total := 0
		for _, size := range sizes {
			want := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
			total += size
			s.inject(0, client.addr, remote.addr, want)
			got, port := remote.take()
			if !bytes.Equal(got, want) {
				t.Fatalf("%d bytes: %d arrive", size, len(got))
			}
			remote.give(port, want)
			got, from := client.take()
			if !bytes.Equal(got, want) || from != remote.addr {
				t.Errorf("%d bytes: %d come back from %s, not %s", size, len(got), from, remote.addr)
			}
		}
		st := s.stats()
		if n := uint64(len(sizes)); st[count.DatagramsToUpstream] != n || st[count.DatagramsToClient] != n ||
			st[count.UDPBytesToUpstream] != uint64(total) || st[count.UDPBytesToClient] != uint64(total) || st[count.FlowsOpened] != 1 {
			t.Errorf("counted %v", st)
		}
	}
}

// TestUDPRuns has datagrams of one turn arrive in their order, all of them,
// whatever their sizes and destinations.
func TestUDPRuns(t *testing.T) {
	for _, family := range families {
		client, remote, other := newPeer(t, family.client), newPeer(t, family.remote), newPeer(t, family.other)
		s := newRelays(t, 1, 10, 8, time.Minute)
		var payloads [][]byte
		for i := range 40 {
			payloads = append(payloads, bytes.Repeat([]byte{byte(i)}, 100+100*(i%7/5)))
		}
		s.on(0, func() {
			for _, p := range payloads {
				for _, dest := range []peer{remote, other} {
					s.workers[0].put(&s.in, loop.Received{Payload: p, Segment: len(p), Source: client.addr, Dest: dest.addr})
				}
			}
		})
		for _, dest := range []peer{remote, other} {
			for i, want := range payloads {
				got, port := dest.take()
				if !bytes.Equal(got, want) {
					t.Fatalf("%s: datagram %d is another one", dest.addr, i)
				}
				dest.give(port, got)
			}
		}
		back := map[netip.AddrPort]int{}
		for range 2 * len(payloads) {
			got, from := client.take()
			if want := payloads[back[from]]; !bytes.Equal(got, want) {
				t.Fatalf("reply %d from %s is another one", back[from], from)
			}
			back[from]++
		}
		if back[remote.addr] != len(payloads) || back[other.addr] != len(payloads) {
			t.Errorf("replies: %v", back)
		}
	}
}

// TestUDPIsEndpointIndependent has one client keep one port, to which any
// remote may write.
func TestUDPIsEndpointIndependent(t *testing.T) {
	for _, family := range families {
		client, remote, other := newPeer(t, family.client), newPeer(t, family.remote), newPeer(t, family.other)
		s := newRelays(t, 2, 10, 8, time.Minute)
		s.inject(0, client.addr, remote.addr, []byte("a"))
		_, port := remote.take()
		s.inject(1, client.addr, remote.addr, []byte("b")) // by the other worker
		if _, again := remote.take(); again != port {
			t.Errorf("the client has ports %s and %s", port, again)
		}
		other.give(port, []byte("unasked"))
		if got, from := client.take(); string(got) != "unasked" || from != other.addr {
			t.Errorf("%q from %s, want it from %s", got, from, other.addr)
		}
		if st := s.stats(); st[count.FlowsOpened] != 1 {
			t.Errorf("%d flows opened", st[count.FlowsOpened])
		}
	}
}

func TestUDPClientsStayApart(t *testing.T) {
	one, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
	two := newPeer(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), one.addr.Port()).String())
	s := newRelays(t, 1, 10, 8, time.Minute)
	for _, c := range []peer{one, two} {
		s.inject(0, c.addr, remote.addr, []byte(c.addr.String()))
		got, port := remote.take()
		remote.give(port, got)
		if got, _ := c.take(); string(got) != c.addr.String() {
			t.Errorf("%s got %q", c.addr, got)
		}
	}
}

// TestUDPListener has a real listener receive what is addressed to itself,
// which is refused.
func TestUDPListener(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		client := newPeer(t, netip.AddrPortFrom(netip.MustParseAddr(addr), 0).String())
		s := newRelays(t, 1, 10, 8, time.Minute)
		fd, err := socket.Listen(netip.AddrPortFrom(netip.MustParseAddr(addr), 0), true, unix.SOCK_DGRAM)
		if err != nil {
			t.Fatal(err)
		}
		at, err := socket.LocalAddr(fd)
		if err != nil {
			t.Fatal(err)
		}
		s.shared.admission.SetListeners([]inbound.Spec{{Listen: at}})
		s.on(0, func() { err = s.workers[0].Listen(fd, &s.in) })
		if err != nil {
			t.Fatal(err)
		}
		for range 40 { // more than a batch
			client.give(at, []byte("x"))
		}
		eventually(t, "the listener takes all", func() bool { st := s.stats(); return st[count.RefusedListener] == 40 })
		s.on(0, func() { s.workers[0].Unlisten(&s.in) })
		if n := len(s.workers[0].listeners); n != 0 {
			t.Errorf("%d listeners are left", n)
		}
	}
}

func TestUDPRefusals(t *testing.T) {
	s := newRelays(t, 1, 10, 8, time.Minute)
	client, good := netip.MustParseAddrPort("127.0.0.1:9"), netip.MustParseAddrPort("127.0.0.2:9")
	for _, c := range []struct {
		cause count.Counter
		m     loop.Received
	}{
		{count.RefusedPortZero, loop.Received{Source: netip.AddrPortFrom(client.Addr(), 0), Dest: good}},
		{count.RefusedPortZero, loop.Received{Source: client, Dest: netip.AddrPortFrom(good.Addr(), 0)}},
		{count.RefusedMulticast, loop.Received{Source: client, Dest: netip.MustParseAddrPort("224.0.0.1:9")}},
		{count.RefusedBroadcast, loop.Received{Source: client, Dest: netip.MustParseAddrPort("255.255.255.255:9")}},
		{count.RefusedUnspecified, loop.Received{Source: client, Dest: netip.MustParseAddrPort("[::]:9")}},
		{count.DroppedNoDest, loop.Received{Source: client}},
		{count.DroppedTruncated, loop.Received{Source: client, Dest: good, Truncated: true}},
	} {
		before := s.stats()
		s.on(0, func() { s.workers[0].put(&s.in, c.m) })
		if after := s.stats(); after[c.cause] != before[c.cause]+1 || after[count.FlowsOpened] != 0 {
			t.Errorf("%s: counted %d, %d flows", c.cause, after[c.cause]-before[c.cause], after[count.FlowsOpened])
		}
	}
}

// TestUDPSurvivesRefusal writes to a port where nobody listens: the ICMP error
// ends nothing.
func TestUDPSurvivesRefusal(t *testing.T) {
	client, remote, gone := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0"), newPeer(t, "127.0.0.3:0")
	gone.Close()
	s := newRelays(t, 1, 10, 8, time.Minute)
	for range 3 {
		s.inject(0, client.addr, gone.addr, []byte("x"))
		s.inject(0, client.addr, remote.addr, []byte("y"))
		got, port := remote.take()
		remote.give(port, got)
		client.take()
	}
	if st := s.stats(); st[count.FlowsOpened] != 1 || st[count.DroppedSend] != 0 {
		t.Errorf("counted %v", st)
	}
}

// TestUDPDoesNotAllocate carries datagrams both ways in the steady state.
func TestUDPDoesNotAllocate(t *testing.T) {
	client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	r := s.workers[0]
	s.inject(0, client.addr, remote.addr, []byte("x"))
	_, port := remote.take()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	to := &unix.SockaddrInet4{Port: int(port.Port()), Addr: [4]byte{127, 0, 0, 1}}
	payload := make([]byte, 1200)
	m := loop.Received{Payload: payload, Segment: len(payload), Source: client.addr, Dest: remote.addr}
	f := s.shared.flows.Lookup(nat.KeyOf(client.addr, 0, 1)).Value
	var allocs, sending float64
	s.on(0, func() {
		sending = testing.AllocsPerRun(50, func() { unix.Sendto(fd, payload, 0, to); f.Ready(0); r.flush() })
		sending -= testing.AllocsPerRun(50, func() { unix.Sendto(fd, payload, 0, to) })
		allocs = testing.AllocsPerRun(50, func() {
			for range 5 {
				r.put(&s.in, m)
			}
			r.flush()
		})
	})
	if allocs != 0 || sending > 0 {
		t.Errorf("%v allocations upstream, %v towards the client", allocs, sending)
	}
}

// BenchmarkUDP carries datagrams of 200 bytes from many clients, or from one, to
// one remote: an op is a datagram, its sending over loopback included.
func BenchmarkUDP(b *testing.B) {
	remote := newPeer(b, "127.0.0.2:0")
	s := newRelays(b, 1, 100, 8, time.Minute)
	r, payload := s.workers[0], make([]byte, 200)
	for _, clients := range []int{16, 1} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) {
			b.ReportAllocs()
			s.on(0, func() {
				for n := range b.N {
					r.put(&s.in, loop.Received{Payload: payload, Segment: len(payload),
						Source: clientAt(n % clients), Dest: remote.addr})
				}
				r.flush()
			})
		})
	}
}
