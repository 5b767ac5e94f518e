package udp

import (
	"fmt"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/nat"
	"sluice/redir/count"
)

// clientAt is one of many clients that need not exist.
func clientAt(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 4000)
}

func TestFlowsExpire(t *testing.T) {
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 2, 100, 8, 30*time.Millisecond)
	for i := range 20 {
		s.inject(i%2, clientAt(i), remote.addr, []byte("x"))
	}
	eventually(t, "all flows expire", func() bool {
		st := s.stats()
		return st[count.FlowsOpened] == 20 && st[count.FlowsClosed] == 20
	})
}

// TestFlowsInUseDoNotExpire has a client come back in the very turn in which its
// flow would end: what it sends is answered.
func TestFlowsInUseDoNotExpire(t *testing.T) {
	const timeout = 20 * time.Millisecond
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 10, 8, timeout)
	r := s.workers[0]
	var over int64
	s.on(0, func() {
		r.put(&s.in, receivedFrom(clientAt(0), remote.addr))
		r.r.Cancel(&r.expiry)
		over = r.r.Now() + int64(timeout)
	})
	eventually(t, "the timeout is over", func() bool { return s.group.Now() > over })
	s.on(0, func() {
		r.put(&s.in, receivedFrom(clientAt(0), remote.addr))
		r.Expired(r.r.Now())
	})
	if st := s.stats(); st[count.FlowsOpened] != 1 || st[count.FlowsClosed] != 0 {
		t.Errorf("%d opened, %d closed", st[count.FlowsOpened], st[count.FlowsClosed])
	}
}

// TestFlowsAreEvicted fills the table from two workers, so that victims belong
// to both; cleaning up finds each fd closed.
func TestFlowsAreEvicted(t *testing.T) {
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 2, 4, 8, time.Minute)
	replied := clientAt(0)
	s.inject(0, replied, remote.addr, []byte("x"))
	_, port := remote.take()
	remote.give(port, []byte("y"))
	eventually(t, "the reply passes", func() bool { st := s.stats(); return st[count.DatagramsToClient] == 1 })
	for i := range 50 {
		s.inject(i%2, clientAt(1+i), remote.addr, []byte("x"))
	}
	st := s.stats()
	if st.FlowsNow() != 4 || st[count.FlowsEvicted] != 47 {
		t.Errorf("%d flows, %d evicted", st.FlowsNow(), st[count.FlowsEvicted])
	}
	s.inject(1, replied, remote.addr, []byte("x"))
	if again := s.stats(); again[count.FlowsOpened] != st[count.FlowsOpened] {
		t.Error("the flow that had a reply was evicted before those that had none")
	}
}

// TestBulkFlowsGetBuffers has a flow send and receive much in a turn.
func TestBulkFlowsGetBuffers(t *testing.T) {
	client, remote := newPeer(t, "127.0.0.1:0"), newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 10, 8, time.Minute)
	var port netip.AddrPort
	buffers := func() (size [2]int) {
		fd := s.shared.flows.Lookup(nat.KeyOf(client.addr, 0, 1)).Value.fd
		for i, option := range []int{unix.SO_SNDBUF, unix.SO_RCVBUF} {
			size[i], _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, option)
		}
		return size
	}
	s.inject(0, client.addr, remote.addr, []byte("x"))
	before := buffers()
	for range 40 {
		s.inject(0, client.addr, remote.addr, make([]byte, 1000), make([]byte, bulkTurn))
	}
	for range 3 {
		_, port = remote.take()
	}
	s.on(0, func() { // the replies wait until all are there
		for range 10 {
			remote.give(port, []byte("y"))
		}
	})
	eventually(t, "the replies pass", func() bool { st := s.stats(); return st[count.DatagramsToClient] == 10 })
	after := buffers()
	if after[0] <= before[0] || after[1] <= before[1] {
		t.Errorf("send and receive buffers: %v, afterwards %v", before, after)
	}
}

// TestFlowsRace has two workers open, share, evict and expire each other's
// flows at once.
func TestFlowsRace(t *testing.T) {
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 2, 8, 2, time.Millisecond)
	var injecting sync.WaitGroup
	for worker := range s.workers {
		injecting.Go(func() {
			for i := range 500 {
				s.inject(worker, clientAt(i%20), remote.addr, []byte("x"), []byte("y"))
			}
		})
	}
	injecting.Wait()
	eventually(t, "all flows end", func() bool { st := s.stats(); return st.FlowsNow() == 0 })
	if st := s.stats(); st[count.DatagramsToUpstream]+st[count.DroppedSend] != 2000 || st[count.DroppedSend] != 0 {
		t.Errorf("%d sent, %d dropped", st[count.DatagramsToUpstream], st[count.DroppedSend])
	}
}

// TestFlowsWithoutFDs takes away all fds and gives them back.
func TestFlowsWithoutFDs(t *testing.T) {
	remote := newPeer(t, "127.0.0.2:0")
	s := newRelays(t, 1, 100, 8, time.Minute)
	s.inject(0, clientAt(0), remote.addr, []byte("x"))
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	s.on(0, func() {
		none := limit
		none.Cur = 3
		unix.Setrlimit(unix.RLIMIT_NOFILE, &none)
		for i := range 5 {
			s.workers[0].put(&s.in, receivedFrom(clientAt(1+i), remote.addr))
		}
		unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	})
	if st := s.stats(); st[count.FlowsOpened] != 1 || st[count.DroppedNoSession] != 5 || st[count.FlowsEvicted] != 1 {
		t.Errorf("opened %d, dropped %d, evicted %d", st[count.FlowsOpened], st[count.DroppedNoSession], st[count.FlowsEvicted])
	}
	s.inject(0, clientAt(9), remote.addr, []byte("again"))
	for got := ""; got != "again"; {
		b, _ := remote.take()
		got = string(b)
	}
}

// entryFor is an entry of a flow with an id.
func entryFor(id uint32) *nat.Entry[*flow] { return &nat.Entry[*flow]{Value: &flow{id: id}} }

// TestGroupsKeepOrder appends slots of flows whose ids collide.
func TestGroupsKeepOrder(t *testing.T) {
	var q upstreamQueue
	if err := q.init(&Worker{shared: &Shared{batch: 8}}); err != nil {
		t.Fatal(err)
	}
	defer q.slots.Close()
	a, b := entryFor(1), entryFor(1+uint32(len(q.groupOf)))
	c := entryFor(2)
	var order = map[uint32][]int32{}
	for slot, e := range []*nat.Entry[*flow]{a, c, a, b, a, c, b, a} {
		q.append(e, int32(slot))
	}
	for _, g := range q.groups {
		for slot := g.head; slot != none; slot = q.next[slot] {
			order[g.entry.Value.id] = append(order[g.entry.Value.id], slot)
		}
	}
	if got, want := fmt.Sprint(order), "map[1:[0 2 4 7] 2:[1 5] 17:[3 6]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if n := len(q.groups); n != 6 {
		t.Errorf("%d groups", n)
	}
}

// TestFlowsAreSmall has a session take no more than a size class of Go's allocator,
// since there may be a hundred thousand.
func TestFlowsAreSmall(t *testing.T) {
	if size := reflect.TypeFor[flow]().Size(); size > 176 {
		t.Errorf("a flow takes %d bytes", size)
	}
}
