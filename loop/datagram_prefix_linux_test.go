package loop

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPushPrefixKeepsAll pushes random datagrams with prefixes of two lengths, and
// compares what the kernel gets with what went in, for kernels of all tempers.
func TestPushPrefixKeepsAll(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		k := &fakeKernel{perCall: r.IntN(4)}
		if seed%3 == 0 {
			k.refuse = func(datagrams []string, _ netip.AddrPort) syscall.Errno {
				if len(datagrams) > 1 && len(datagrams[0]) > 50 {
					return unix.EMSGSIZE
				}
				return 0
			}
		}
		b := newTestBatch(1+r.IntN(20), k)
		var g GSO
		var total SendResult
		var want []string
		size := 0
		for range 100 {
			e := Envelope{Dest: letter(r.IntN(2))}
			prefix := bytes.Repeat([]byte{byte('A' + r.IntN(3))}, 4+6*(r.IntN(8)/7))
			segment := r.IntN(4) * 33
			payload := bytes.Repeat([]byte{byte('a' + r.IntN(26))}, segment*(1+r.IntN(2)*r.IntN(100)))
			if segment > 0 {
				payload = payload[:len(payload)-r.IntN(segment)]
			}
			size += len(payload)
			if len(payload) == 0 {
				want = append(want, fmt.Sprintf("%s %s", e.Dest, prefix))
			}
			for part := range slices.Chunk(payload, max(1, segment)) {
				want = append(want, fmt.Sprintf("%s %s%s", e.Dest, prefix, part))
			}
			rest, whole := b.PushPrefix(&e, prefix, payload, min(segment, len(payload)), &g)
			for !whole {
				total.merge(b.Send(0, &g))
				rest, whole = b.PushPrefix(&e, prefix, rest, min(segment, len(payload)), &g)
			}
		}
		total.merge(b.Send(0, &g))
		if !slices.Equal(k.got, want) {
			t.Fatalf("seed %d: %d datagrams arrived, want %d, or in another order", seed, len(k.got), len(want))
		}
		if total.Datagrams != len(want) || total.Bytes != size || total.Dropped != 0 {
			t.Fatalf("seed %d: counted %+v, want %d datagrams of %d bytes", seed, total, len(want), size)
		}
	}
}

// TestPushPrefixMakesRuns asserts that datagrams of one length leave as one
// message, whatever their prefixes say, up to what a message may carry.
func TestPushPrefixMakesRuns(t *testing.T) {
	prefix4, prefix6 := make([]byte, 10), make([]byte, 22)
	for _, c := range []struct {
		name             string
		prefixes         [][]byte
		segment, count   int
		messages, counts int // messages, and datagrams in the first
	}{
		{"one", [][]byte{prefix4}, 1200, 1, 1, 1},
		{"a run", [][]byte{prefix4}, 1200, 50, 1, 50},
		{"by bytes", [][]byte{prefix4}, 1200, 60, 2, 54},
		{"by datagrams", [][]byte{prefix4}, 100, 100, 2, 64},
		{"two destinations", [][]byte{prefix4, prefix4}, 1200, 20, 1, 40},
		{"two families", [][]byte{prefix4, prefix6}, 1200, 20, 2, 20},
	} {
		k := &fakeKernel{}
		b := newTestBatch(8, k)
		var g GSO
		e := Envelope{Dest: letter(1), Connected: true}
		payload := make([]byte, c.segment*c.count)
		for _, prefix := range c.prefixes {
			if _, whole := b.PushPrefix(&e, prefix, payload, c.segment, &g); !whole {
				t.Fatalf("%s: no room", c.name)
			}
		}
		if b.Len() != c.messages || b.runs[0].datagrams != c.counts {
			t.Errorf("%s: %d messages, the first of %d datagrams; want %d, %d", c.name, b.Len(), b.runs[0].datagrams, c.messages, c.counts)
		}
		b.Send(0, &g)
	}
}

// TestPushPrefixReal sends runs through a connected socket, as the kernel takes
// them.
func TestPushPrefixReal(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		to, from := newPeer(t, addr, 8), newPeer(t, addr, 8)
		var sockaddr unix.Sockaddr = &unix.SockaddrInet4{Port: int(to.addr.Port()), Addr: [4]byte{127, 0, 0, 1}}
		if to.addr.Addr().Is6() {
			sockaddr = &unix.SockaddrInet6{Port: int(to.addr.Port()), Addr: to.addr.Addr().As16()}
		}
		if err := unix.Connect(from.fd, sockaddr); err != nil {
			t.Fatal(err)
		}
		e := Envelope{Dest: to.addr, Connected: true}
		from.out.PushPrefix(&e, []byte("head"), []byte("aaaabbbbcc"), 4, &from.gso)
		if sent := from.out.Send(from.fd, &from.gso); sent.Datagrams != 3 || sent.Bytes != 10 || sent.Dropped != 0 {
			t.Fatalf("sent %+v", sent)
		}
		var got []byte
		for len(got) < 3*4+10 {
			n, errno := to.in.Recv(to.fd, 0)
			if errno != 0 {
				t.Fatalf("%q, and then: %v", got, errno)
			}
			for i := range n {
				var m Received
				to.in.Message(i, &m)
				got = append(got, m.Payload...)
			}
		}
		if string(got) != "headaaaaheadbbbbheadcc" {
			t.Errorf("%q arrives", got)
		}
	}
}

func TestPushPrefixDoesNotAllocate(t *testing.T) {
	k := &fakeKernel{}
	b := newTestBatch(8, k)
	b.transmit = func(_ int, headers []mmsghdr) (int, syscall.Errno) { return len(headers), 0 }
	var g GSO
	e, prefix, payload := Envelope{Dest: letter(1)}, make([]byte, 10), make([]byte, 60_000)
	if n := testing.AllocsPerRun(50, func() { b.PushPrefix(&e, prefix, payload, 1200, &g); b.Send(0, &g) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestPushPrefixEach asserts that every datagram of a payload has the prefix, also the
// one of 0 bytes, and that what does not fit is left for later.
func TestPushPrefixEach(t *testing.T) {
	for _, c := range []struct {
		payload string
		segment int
		want    []string
	}{
		{"", 0, []string{"head"}},
		{"abc", 3, []string{"headabc"}},
		{"aabbccddeef", 2, []string{"headaa", "headbb", "headcc", "headdd", "headee", "headf"}},
	} {
		k := &fakeKernel{}
		b := newTestBatch(4, k)
		e := Envelope{Dest: letter(1)}
		var g GSO
		bytes := 0
		rest, whole := b.PushPrefix(&e, []byte("head"), []byte(c.payload), c.segment, &g)
		for ; !whole; rest, whole = b.PushPrefix(&e, []byte("head"), rest, c.segment, &g) {
			bytes += b.Send(0, &g).Bytes
		}
		bytes += b.Send(0, &g).Bytes
		var want []string
		for _, w := range c.want {
			want = append(want, "10.0.0.1:1 "+w)
		}
		if !slices.Equal(k.got, want) || bytes != len(c.payload) {
			t.Errorf("%q: %q, %d bytes; want %q", c.payload, k.got, bytes, want)
		}
	}
}
