package loop

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// peer is a bound loopback socket that reports original destinations and merges
// runs, with the batches to use it.
type peer struct {
	tb   testing.TB
	fd   int
	addr netip.AddrPort
	in   *RecvBatch
	out  *SendBatch
	gso  GSO
}

func newPeer(tb testing.TB, loopback string, slots int) *peer {
	tb.Helper()
	a := netip.MustParseAddr(loopback)
	domain, bind := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: a.As16()})
	level, option := unix.SOL_IPV6, unix.IPV6_RECVORIGDSTADDR
	if a.Is4() {
		domain, bind = unix.AF_INET, &unix.SockaddrInet4{Addr: a.As4()}
		level, option = unix.SOL_IP, unix.IP_RECVORIGDSTADDR
	}
	fd, err := unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, bind); err != nil {
		tb.Fatalf("bind %s: %v", a, err)
	}
	for _, o := range [][3]int{{level, option, 1}, {unix.SOL_UDP, unix.UDP_GRO, 1}, {unix.SOL_SOCKET, unix.SO_RCVBUF, 4 << 20}} {
		if err := unix.SetsockoptInt(fd, o[0], o[1], o[2]); err != nil {
			tb.Fatalf("setsockopt %d: %v", o[1], err)
		}
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		tb.Fatal(err)
	}
	port := 0
	switch n := name.(type) {
	case *unix.SockaddrInet4:
		port = n.Port
	case *unix.SockaddrInet6:
		port = n.Port
	}
	in, err := NewRecvBatch(slots)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(in.Close)
	return &peer{tb: tb, fd: fd, addr: netip.AddrPortFrom(a, uint16(port)), in: in, out: NewSendBatch(64)}
}

// recv waits for messages in the slots from the given one on.
func (p *peer) recv(from int) int {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		n, errno := p.in.Recv(p.fd, from)
		if errno == 0 {
			return n
		}
		if errno != unix.EAGAIN {
			p.tb.Fatalf("recvmmsg: %v", errno)
		}
		unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, 100)
	}
	p.tb.Fatal("nothing came")
	return 0
}

func (p *peer) send(to netip.AddrPort, payloads ...[]byte) SendResult {
	var total SendResult
	e := Envelope{Dest: to}
	for _, payload := range payloads {
		rest, whole := p.out.Push(&e, payload, len(payload), &p.gso)
		for !whole {
			total.merge(p.out.Send(p.fd, &p.gso))
			rest, whole = p.out.Push(&e, rest, len(payload), &p.gso)
		}
	}
	total.merge(p.out.Send(p.fd, &p.gso))
	return total
}

var loopbacks = []string{"127.0.0.1", "::1"}

// TestDatagrams sends every size of interest through the kernel, singly.
func TestDatagrams(t *testing.T) {
	for _, loopback := range loopbacks {
		a, b := newPeer(t, loopback, 4), newPeer(t, loopback, 4)
		for _, size := range []int{0, 1, 1200, 1472, 1473, 9000, 65507} {
			want := bytes.Repeat([]byte{byte(size)}, size)
			if r := a.send(b.addr, want); r.Datagrams != 1 || r.Bytes != size || r.Dropped != 0 {
				t.Fatalf("%s %d bytes: sent %+v", loopback, size, r)
			}
			var m Received
			if n := b.recv(2); n != 1 {
				t.Fatalf("%s %d bytes: %d messages", loopback, size, n)
			}
			b.in.Message(2, &m)
			if !bytes.Equal(m.Payload, want) || m.Source != a.addr || m.Dest != b.addr || m.Segment != size || m.Truncated {
				t.Errorf("%s %d bytes: %d from %s to %s, segment %d, truncated %v",
					loopback, size, len(m.Payload), m.Source, m.Dest, m.Segment, m.Truncated)
			}
		}
	}
}

// TestTOS sends runs of two types of service: each datagram keeps its own, and
// what differs is not merged. A type of 0 is the socket's own.
func TestTOS(t *testing.T) {
	for _, loopback := range loopbacks {
		a, b := newPeer(t, loopback, 4), newPeer(t, loopback, 8)
		level, report := unix.SOL_IP, unix.IP_RECVTOS
		if b.addr.Addr().Is6() {
			level, report = unix.SOL_IPV6, unix.IPV6_RECVTCLASS
		}
		if err := unix.SetsockoptInt(b.fd, level, report, 1); err != nil {
			t.Fatal(err)
		}
		want := []uint8{0xb8, 0xb8, 0, 0x23, 0x23}
		for _, tos := range want {
			a.out.Push(&Envelope{Dest: b.addr, TOS: tos}, make([]byte, 1000), 1000, &a.gso)
		}
		if r := a.out.Send(a.fd, &a.gso); r.Datagrams != len(want) || r.Dropped != 0 {
			t.Fatalf("%s: sent %+v", loopback, r)
		}
		var got []uint8
		for len(got) < len(want) {
			for i := range b.recv(0) {
				var m Received
				b.in.Message(i, &m)
				for range m.Datagrams() {
					got = append(got, m.TOS)
				}
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: types of service %x, want %x", loopback, got, want)
		}
	}
}

// TestRunsMerge has equal datagrams cross as one message each way of the
// system call.
func TestRunsMerge(t *testing.T) {
	for _, loopback := range loopbacks {
		a, b := newPeer(t, loopback, 8), newPeer(t, loopback, 8)
		var payloads [][]byte
		for i := range 10 {
			payloads = append(payloads, bytes.Repeat([]byte{byte(i)}, 1400))
		}
		payloads = append(payloads, []byte("the last may be shorter"))
		if r := a.send(b.addr, payloads...); r.Datagrams != len(payloads) {
			t.Fatalf("%s: sent %+v", loopback, r)
		}
		if n := b.recv(0); n != 1 {
			t.Fatalf("%s: %d messages", loopback, n)
		}
		var m Received
		b.in.Message(0, &m)
		if m.Segment != 1400 || !bytes.Equal(m.Payload, bytes.Join(payloads, nil)) || m.Dest != b.addr {
			t.Errorf("%s: %d bytes in segments of %d to %s", loopback, len(m.Payload), m.Segment, m.Dest)
		}
	}
}

// TestLongDatagramsDoNotRun sends through a path whose MTU is less than the
// datagrams': the kernel refuses the run once, and they go singly.
func TestLongDatagramsDoNotRun(t *testing.T) {
	a, b := newPeer(t, "127.0.0.1", 64), newPeer(t, "127.0.0.1", 64)
	if err := unix.SetsockoptInt(a.fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_WANT); err != nil {
		t.Fatal(err)
	}
	long := bytes.Repeat([]byte{1}, 40_000) // two exceed what one message holds
	a.gso.refuse(9000)
	if r := a.send(b.addr, long, long, long); r.Datagrams != 3 || r.Bytes != 3*len(long) {
		t.Fatalf("sent %+v", r)
	}
	for got := 0; got < 3; {
		n := b.recv(0)
		for i := range n {
			var m Received
			if b.in.Message(i, &m); len(m.Payload) != len(long) {
				t.Errorf("%d bytes", len(m.Payload))
			}
		}
		got += n
	}
}

// TestSlotsAreShared has two sockets fill one batch.
func TestSlotsAreShared(t *testing.T) {
	a, b := newPeer(t, "127.0.0.1", 3), newPeer(t, "::1", 1)
	c := newPeer(t, "127.0.0.1", 1)
	d := newPeer(t, "::1", 1)
	c.send(a.addr, []byte("one"))
	d.send(b.addr, []byte("two"))
	c.send(a.addr, []byte("three"))
	first := a.recv(0)
	b.in = a.in
	second := b.recv(first)
	var texts []string
	for i := range first + second {
		var m Received
		a.in.Message(i, &m)
		texts = append(texts, string(m.Payload))
	}
	if got, want := fmt.Sprint(texts), "[one three two]"; got != want {
		t.Errorf("slots hold %s, want %s", got, want)
	}
}

func TestTruncationShows(t *testing.T) {
	a, b := newPeer(t, "127.0.0.1", 1), newPeer(t, "127.0.0.1", 1)
	var m Received
	a.send(b.addr, []byte("payload"))
	b.in.clean(0, 1)
	b.in.headers[0].header.SetControllen(unix.SizeofCmsghdr)
	if n, errno := recvmmsg(b.fd, b.in.headers); n != 1 || errno != 0 {
		t.Fatal(n, errno)
	}
	if b.in.Message(0, &m); !m.Truncated {
		t.Error("control messages were cut, and it does not show")
	}
	a.send(b.addr, []byte("payload"))
	b.in.iovs[0].SetLen(3)
	if b.in.dirty = 1; b.recv(0) != 1 {
		t.Fatal("nothing came")
	}
	if b.in.Message(0, &m); !m.Truncated {
		t.Error("the payload was cut, and it does not show")
	}
	b.in.iovs[0].SetLen(slotSize)
	a.send(b.addr, []byte("payload"))
	if b.recv(0); true {
		if b.in.Message(0, &m); m.Truncated || string(m.Payload) != "payload" {
			t.Errorf("afterwards: %q, truncated %v", m.Payload, m.Truncated)
		}
	}
}

func TestDatagramsDoNotAllocate(t *testing.T) {
	for _, loopback := range loopbacks {
		a, b := newPeer(t, loopback, 16), newPeer(t, loopback, 16)
		payload := make([]byte, 1200)
		e := Envelope{Dest: b.addr, Source: a.addr.Addr()}
		other := Envelope{Dest: b.addr}
		var m Received
		n := testing.AllocsPerRun(100, func() {
			for range 8 {
				a.out.Push(&e, payload, len(payload), &a.gso)
			}
			a.out.Push(&other, payload[:300], 300, &a.gso)
			a.out.Send(a.fd, &a.gso)
			a.out.Push(&other, payload, len(payload), &a.gso)
			a.out.Send(a.fd, &a.gso)
			got, _ := b.in.Recv(b.fd, 0)
			for i := range got {
				b.in.Message(i, &m)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", loopback, n)
		}
	}
}
