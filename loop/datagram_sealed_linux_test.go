package loop

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ways are those that parcels leave by, and messages come by.
func ways(tb testing.TB) map[string]*Calls {
	return map[string]*Calls{"alone": nil, "together": newCalls(tb)}
}

// texts are the datagrams that p has, in their order.
func (p *peer) texts(want int) (got []string) {
	p.tb.Helper()
	for len(got) < want {
		for i := range p.recv(0) {
			var m Received
			p.in.Message(i, &m)
			if len(m.Payload) == 0 {
				got = append(got, "")
			}
			for part := range slices.Chunk(m.Payload, max(1, m.Segment)) {
				got = append(got, string(part))
			}
		}
	}
	return got
}

// TestSealed sends by several sockets what is more than is sent by one call, in
// messages and runs: all comes, from where it should, and in its order.
func TestSealed(t *testing.T) {
	const parcels, perParcel = 3 * mostCalls / 4, 2
	for way, calls := range ways(t) {
		to := newPeer(t, "127.0.0.1", 64)
		var from []*peer
		for range 3 {
			from = append(from, newPeer(t, "127.0.0.1", 1))
		}
		out := NewSendBatch(parcels * perParcel)
		want := map[string][]string{}
		for i := range parcels {
			p := from[i%len(from)]
			short := fmt.Sprintf("%d.", i)
			run := bytes.Repeat([]byte{byte('a' + i%26)}, 20)
			e := Envelope{Dest: to.addr}
			out.Push(&e, []byte(short), len(short), &p.gso)
			out.Push(&e, run, 10, &p.gso)
			out.Seal(p.fd, &p.gso)
			key := p.addr.String()
			want[key] = append(want[key], short, string(run[:10]), string(run[10:]))
		}
		out.SendSealed(calls)
		if out.Len() != 0 {
			t.Errorf("%s: %d messages are left", way, out.Len())
		}
		for i := range parcels {
			if r := out.Sent(i); r.Datagrams != 3 || r.Bytes != len(fmt.Sprintf("%d.", i))+20 || r.Dropped != 0 {
				t.Fatalf("%s: parcel %d: %+v", way, i, r)
			}
		}
		got := map[string][]string{}
		for n := 0; n < 3*parcels; {
			for i := range to.recv(0) {
				var m Received
				to.in.Message(i, &m)
				for part := range slices.Chunk(m.Payload, m.Segment) {
					got[m.Source.String()] = append(got[m.Source.String()], string(part))
					n++
				}
			}
		}
		for source, texts := range want {
			if !slices.Equal(got[source], texts) {
				t.Errorf("%s: from %s come %q, want %q", way, source, got[source], texts)
			}
		}
	}
}

// TestSealedStays asserts that neither joins what is sealed nor is it sent by Send.
func TestSealedStays(t *testing.T) {
	for way, calls := range ways(t) {
		a, b, to := newPeer(t, "127.0.0.1", 1), newPeer(t, "127.0.0.1", 1), newPeer(t, "127.0.0.1", 8)
		e := Envelope{Dest: to.addr}
		push := func(text string) { a.out.Push(&e, []byte(text), len(text), &a.gso) }
		push("one")
		a.out.Seal(a.fd, &a.gso)
		push("two")
		if r := a.out.Send(b.fd, &a.gso); r.Datagrams != 1 || a.out.Len() != 1 {
			t.Fatalf("%s: sent %+v, %d messages are left", way, r, a.out.Len())
		}
		if r := a.out.Send(b.fd, &a.gso); r.Datagrams != 0 || a.out.Len() != 1 {
			t.Fatalf("%s: sent %+v, %d messages are left", way, r, a.out.Len())
		}
		push("three")
		push("for")
		a.out.Seal(b.fd, &b.gso)
		a.out.Seal(b.fd, &b.gso) // of nothing
		a.out.SendSealed(calls)
		for parcel, want := range []int{1, 2, 0} {
			if r := a.out.Sent(parcel); r.Datagrams != want {
				t.Errorf("%s: parcel %d: %+v", way, parcel, r)
			}
		}
		if got := to.texts(4); fmt.Sprint(got) != "[two one three for]" {
			t.Errorf("%s: %q", way, got)
		}
	}
}

// TestSealedFails asserts that what fails costs nothing else, that a run which the
// kernel refuses leaves singly, and that the news of an earlier datagram costs none.
func TestSealedFails(t *testing.T) {
	for way, calls := range ways(t) {
		good, bad, unrun, told, to := newPeer(t, "127.0.0.1", 1), newPeer(t, "127.0.0.1", 1), newPeer(t, "127.0.0.1", 1), newPeer(t, "127.0.0.1", 1), newPeer(t, "127.0.0.1", 16)
		// udp_send_skb refuses runs of a socket that leaves checksums out.
		unix.SetsockoptInt(unrun.fd, unix.SOL_SOCKET, unix.SO_NO_CHECK, 1)
		pending(t, told)
		out := good.out
		e, nowhere := Envelope{Dest: to.addr}, Envelope{Dest: netip.AddrPortFrom(to.addr.Addr(), 0)} // no port
		out.Push(&e, []byte("good"), 4, &good.gso)
		out.Seal(good.fd, &good.gso)
		out.Push(&nowhere, []byte("bad"), 3, &bad.gso)
		out.Push(&e, []byte("well"), 4, &bad.gso)
		out.Seal(bad.fd, &bad.gso)
		out.Push(&e, []byte("abcdef"), 3, &unrun.gso)
		out.Seal(unrun.fd, &unrun.gso)
		out.Push(&e, []byte("told"), 4, &told.gso)
		out.Seal(told.fd, &told.gso)
		out.SendSealed(calls)
		want := []SendResult{{Datagrams: 1, Bytes: 4}, {Datagrams: 1, Bytes: 4, Dropped: 1, Errno: unix.EINVAL, Failed: nowhere}, {Datagrams: 2, Bytes: 6}, {Datagrams: 1, Bytes: 4}}
		for i := range want {
			if r := *out.Sent(i); r != want[i] {
				t.Errorf("%s: parcel %d: %+v, want %+v", way, i, r, want[i])
			}
		}
		if unrun.gso.allows(3) || !good.gso.allows(3) {
			t.Errorf("%s: a refusal was not learnt, or by another", way)
		}
		got := to.texts(5)
		slices.Sort(got)
		if fmt.Sprint(got) != "[abc def good told well]" {
			t.Errorf("%s: %q", way, got)
		}
	}
}

// pending has an ICMP error wait at p's socket.
func pending(t *testing.T, p *peer) {
	t.Helper()
	if err := unix.SetsockoptInt(p.fd, unix.SOL_IP, unix.IP_RECVERR, 1); err != nil {
		t.Fatal(err)
	}
	closed, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(closed, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, _ := unix.Getsockname(closed)
	unix.Close(closed)
	if err := unix.Sendto(p.fd, []byte("x"), 0, name); err != nil {
		t.Fatal(err)
	}
	fds := []unix.PollFd{{Fd: int32(p.fd)}}
	for deadline := time.Now().Add(5 * time.Second); fds[0].Revents&unix.POLLERR == 0; unix.Poll(fds, 100) {
		if time.Now().After(deadline) {
			t.Fatal("no error came")
		}
	}
}

// TestGather receives by calls what Recv receives, and between its calls.
func TestGather(t *testing.T) {
	calls := newCalls(t)
	for _, loopback := range loopbacks {
		from := newPeer(t, loopback, 1)
		one, two, none, sick := newPeer(t, loopback, 8), newPeer(t, loopback, 1), newPeer(t, loopback, 1), newPeer(t, "127.0.0.1", 1)
		pending(t, sick)
		in := one.in
		from.send(one.addr, bytes.Repeat([]byte("x"), 30_000))
		one.recv(0)
		in.Recv(one.fd, 7)
		for round := range 2 {
			from.out.Push(&Envelope{Dest: two.addr}, []byte("a run of three."), 5, &from.gso)
			from.out.Send(from.fd, &from.gso)
			from.send(one.addr, []byte("first"))
			from.send(one.addr, []byte{})
			ready(t, one, two)
			fds := []*peer{one, two, none, sick, one, one}
			var made []int
			for i, p := range fds {
				made = append(made, in.Gather(calls, p.fd, 1+i))
			}
			calls.Make()
			want := []syscall.Errno{0, 0, unix.EAGAIN, unix.ECONNREFUSED, 0, unix.EAGAIN}
			if round > 0 {
				want[3] = unix.EAGAIN
			}
			for i, call := range made {
				if errno := in.Gathered(calls, call, 1+i); errno != want[i] {
					t.Fatalf("%s: socket %d: %v, want %v", loopback, i, errno, want[i])
				}
			}
			for slot, want := range map[int]Received{
				1: {Payload: []byte("first"), Segment: 5, Source: from.addr, Dest: one.addr},
				2: {Payload: []byte("a run of three."), Segment: 5, Source: from.addr, Dest: two.addr},
				5: {Payload: []byte{}, Source: from.addr, Dest: one.addr},
			} {
				var m Received
				if in.Message(slot, &m); fmt.Sprint(m) != fmt.Sprint(want) {
					t.Errorf("%s: slot %d holds %v, want %v", loopback, slot, m, want)
				}
			}
			from.send(one.addr, []byte("the next"))
			var m Received
			if one.recv(3); true {
				if in.Message(3, &m); string(m.Payload) != "the next" || m.Dest != one.addr {
					t.Errorf("%s: behind them: %v", loopback, m)
				}
			}
		}
	}
}

func TestGatherTruncated(t *testing.T) {
	calls := newCalls(t)
	a, b := newPeer(t, "127.0.0.1", 1), newPeer(t, "127.0.0.1", 1)
	b.in.iovs[0].SetLen(3)
	for _, want := range []bool{true, false} {
		a.send(b.addr, []byte("payload"))
		ready(t, b)
		call := b.in.Gather(calls, b.fd, 0)
		calls.Make()
		if errno := b.in.Gathered(calls, call, 0); errno != 0 {
			t.Fatal(errno)
		}
		var m Received
		if b.in.Message(0, &m); m.Truncated != want {
			t.Errorf("%v", m)
		}
		b.in.iovs[0].SetLen(slotSize)
	}
}

// ready waits until each has something to receive.
func ready(t *testing.T, peers ...*peer) {
	t.Helper()
	for _, p := range peers {
		if n, _ := unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, 5000); n != 1 {
			t.Fatal("nothing came")
		}
	}
}

func TestTogetherDoesNotAllocate(t *testing.T) {
	calls := newCalls(t)
	a, b := newPeer(t, "127.0.0.1", 1), newPeer(t, "127.0.0.1", 4)
	payload := make([]byte, 1200)
	e := Envelope{Dest: b.addr, Source: a.addr.Addr()}
	var m Received
	if n := testing.AllocsPerRun(100, func() {
		for range 2 {
			a.out.Push(&e, payload, len(payload), &a.gso)
			a.out.Seal(a.fd, &a.gso)
		}
		a.out.SendSealed(calls)
		one, other := b.in.Gather(calls, b.fd, 0), b.in.Gather(calls, b.fd, 1)
		calls.Make()
		b.in.Gathered(calls, one, 0)
		b.in.Gathered(calls, other, 1)
		b.in.Message(1, &m)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(m.Payload) != len(payload) || a.out.Sent(1).Datagrams != 1 {
		t.Errorf("received %d bytes, sent %+v", len(m.Payload), a.out.Sent(1))
	}
}

// BenchmarkTogether has each of n sockets send a datagram and then receive one, with
// several ways to learn whether there is another one: an op is both for one socket.
func BenchmarkTogether(b *testing.B) {
	calls := newCalls(b)
	for _, n := range []int{2, 4, 16, 64} {
		var peers []*peer
		for range n {
			peers = append(peers, newPeer(b, "127.0.0.1", 1))
		}
		in, err := NewRecvBatch(2 * n)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(in.Close)
		out := NewSendBatch(n)
		payload, peeked := make([]byte, 200), make([]byte, 1)
		for _, way := range []struct {
			name    string
			calls   *Calls
			receive func()
		}{
			{"alone", nil, func() {
				for _, p := range peers {
					in.Recv(p.fd, 0)
				}
			}},
			{"blind", calls, func() {
				for i, p := range peers {
					in.Gather(calls, p.fd, i)
				}
				calls.Make()
			}},
			{"peek", calls, func() {
				for i, p := range peers {
					in.Gather(calls, p.fd, i)
					calls.Recv(p.fd, peeked, unix.MSG_PEEK)
				}
				calls.Make()
			}},
			{"twice", calls, func() {
				for i, p := range peers {
					in.Gather(calls, p.fd, 2*i)
					in.Gather(calls, p.fd, 2*i+1)
				}
				calls.Make()
			}},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, way.name), func(b *testing.B) {
				var sending, receiving time.Duration
				for done := 0; done < b.N; done += n {
					began := time.Now()
					for i, p := range peers {
						out.Push(&Envelope{Dest: peers[(i+1)%n].addr}, payload, len(payload), &p.gso)
						out.Seal(p.fd, &p.gso)
					}
					out.SendSealed(way.calls)
					sent := time.Now()
					way.receive()
					sending, receiving = sending+sent.Sub(began), receiving+time.Since(sent)
				}
				b.ReportMetric(float64(sending.Nanoseconds())/float64(b.N), "send-ns/op")
				b.ReportMetric(float64(receiving.Nanoseconds())/float64(b.N), "recv-ns/op")
			})
		}
	}
}
