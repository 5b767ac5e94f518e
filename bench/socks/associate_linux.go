package socks

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"sluice/bench/dgram"
)

// udpBuffer is the size of an association's kernel buffers, in bytes.
const udpBuffer = 4 << 20

// longestSegment is the size, with its header, up to which datagrams leave as runs:
// what fits a packet of any path that leads here.
const longestSegment = 1200 + 22

// associated is a client's association; its handler watches the TCP connection.
type associated struct {
	control int
	near    near
	far     [2]*far // by family: IPv4, IPv6
	closed  bool
}

// near is the socket that the client's datagrams come to.
type near struct {
	*associated
	socket dgram.Socket
	client netip.AddrPort // who sent the first one; no one else is answered
}

// far is a socket towards destinations.
type far struct {
	*associated
	socket dgram.Socket
}

// associate answers with an address for datagrams.
func (p *pair) associate(w *worker) {
	local, err := unix.Getsockname(p.client.fd)
	if err != nil {
		p.refuse(w, generalFailure)
		return
	}
	a := &associated{control: p.client.fd}
	a.near.associated = a
	a.near.socket, err = dgram.Open(dgram.Config{Local: netip.AddrPortFrom(dgram.AddrPort(local).Addr(), 0), GRO: true, BufferSize: udpBuffer})
	if err != nil {
		p.refuse(w, generalFailure)
		return
	}
	if w.watch(a.near.socket.FD, unix.EPOLLIN, &a.near) != nil {
		_ = a.near.socket.Close()
		p.refuse(w, generalFailure)
		return
	}
	p.answer = appendReply(p.answer, succeeded, a.near.socket.Local())
	p.send()
	p.closed = true // the connection is the association's from here on
	w.handlers[a.control] = a
}

// handle ends the association with its connection.
func (a *associated) handle(w *worker, _ uint32) {
	for {
		n, err := unix.Read(a.control, w.buf)
		switch {
		case err == unix.EAGAIN:
			return
		case err != nil || n == 0:
			a.close(w)
			return
		}
	}
}

func (a *associated) close(w *worker) {
	if a.closed {
		return
	}
	a.closed = true
	w.drop(a.control)
	w.drop(a.near.socket.FD)
	for _, f := range a.far {
		if f != nil {
			w.drop(f.socket.FD)
		}
	}
}

// towards is the socket that destinations of an address' family hear from; nil where
// there can be none.
func (a *associated) towards(w *worker, addr netip.Addr) *far {
	i, local := 0, netip.IPv4Unspecified()
	if addr.Is6() {
		i, local = 1, netip.IPv6Unspecified()
	}
	if a.far[i] == nil {
		s, err := dgram.Open(dgram.Config{Local: netip.AddrPortFrom(local, 0), GRO: true, BufferSize: udpBuffer})
		if err != nil {
			return nil
		}
		f := &far{a, s}
		if w.watch(s.FD, unix.EPOLLIN, f) != nil {
			_ = s.Close()
			return nil
		}
		a.far[i] = f
	}
	return a.far[i]
}

// header is what precedes a datagram: two bytes that are reserved, no fragment, an
// address and a port.
func header(b []byte) (at netip.AddrPort, n int, ok bool) {
	if len(b) < 3 || b[2] != 0 {
		return at, 0, false
	}
	at, n, ok = endpoint(b[3:])
	return at, n + 3, ok && n > 0
}

// handle passes the client's datagrams on, without their headers. Those of a run
// that are for one destination leave as a run.
func (n *near) handle(w *worker, _ uint32) {
	count, err := w.rx.Receive(n.socket)
	if err != nil {
		return // an ICMP error; taken by being returned
	}
	var last *far
	for i := range count {
		m := w.rx.Message(i)
		if !n.client.IsValid() {
			n.client = m.From
		}
		if m.Truncated || m.From != n.client {
			continue
		}
		runs(m, func(run []byte, segment int) {
			dest, size, ok := header(run)
			f := n.towards(w, dest.Addr())
			if !ok || f == nil {
				return
			}
			if f != last || w.tx.Full() {
				w.flush(last)
				last = f
			}
			payload, rest := run[size:size], run // headers are left out in place
			for len(rest) > 0 {
				one := rest[:min(segment, len(rest))]
				payload = append(payload, one[size:]...)
				rest = rest[len(one):]
			}
			w.tx.Add(payload, segment-size, dest, netip.Addr{})
		})
	}
	w.flush(last)
}

// flush sends what is queued; a socket without room drops the rest, as a network
// would.
func (w *worker) flush(f *far) {
	if f != nil {
		_, _ = w.tx.Send(f.socket)
	}
}

// runs tells the datagrams of a message, many at a time where they have one header
// and are short enough to leave as a run.
func runs(m dgram.Message, each func(run []byte, segment int)) {
	segment := m.Segment
	if segment == 0 || segment > len(m.Data) {
		segment = len(m.Data)
	}
	_, size, ok := header(m.Data)
	if segment == 0 || !ok {
		return
	}
	data := m.Data
	for len(data) > 0 {
		n := min(segment, len(data))
		if segment <= longestSegment {
			for n < len(data) && same(data[n:], data, size) {
				n += min(segment, len(data)-n)
			}
		}
		each(data[:n], segment)
		data = data[n:]
	}
}

// same reports whether two datagrams have the same header of n bytes, and a begins
// with one that is not empty without it: an empty one cannot be part of a run.
func same(a, b []byte, n int) bool {
	return len(a) > n && len(b) > n && string(a[:n]) == string(b[:n])
}

// handle passes what destinations sent to the client, each with a header. A run
// stays a run.
func (f *far) handle(w *worker, _ uint32) {
	count, err := w.rx.Receive(f.socket)
	if err != nil {
		return // an ICMP error; taken by being returned
	}
	w.arena = w.arena[:0]
	for i := range count {
		if m := w.rx.Message(i); !m.Truncated {
			f.answer(w, m)
		}
	}
	_, _ = w.tx.Send(f.near.socket)
}

// answer queues a message to the client.
func (f *far) answer(w *worker, m dgram.Message) {
	var space [22]byte
	head := appendEndpoint(append(space[:0], 0, 0, 0), m.From)
	segment := m.Segment
	if segment == 0 || segment > len(m.Data) {
		segment = len(m.Data)
	}
	most := 1
	if long := segment + len(head); segment > 0 && long <= longestSegment {
		most = min(dgram.MaxSegments, dgram.MaxRun/long)
	}
	for data, first := m.Data, true; first || len(data) > 0; first = false {
		if w.tx.Full() || cap(w.arena)-len(w.arena) < udpRoom+len(head) {
			_, _ = w.tx.Send(f.near.socket)
			w.arena = w.arena[:0]
		}
		begin := len(w.arena)
		for n := 0; n < most && (n == 0 || len(data) > 0); n++ {
			one := data[:min(segment, len(data))]
			w.arena = append(append(w.arena, head...), one...)
			data = data[len(one):]
		}
		w.tx.Add(w.arena[begin:], segment+len(head), f.near.client, netip.Addr{})
	}
}
