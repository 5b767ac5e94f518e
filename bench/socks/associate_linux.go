package socks

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"sluice/bench/dgram"
)

// udpBuffer is the size of an association's kernel buffers, in bytes.
const udpBuffer = 4 << 20

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

// handle passes the client's datagrams on, without their headers.
func (n *near) handle(w *worker, _ uint32) {
	count, err := w.rx.Receive(n.socket)
	if err != nil {
		return // an ICMP error; taken by being returned
	}
	g := gatherer{worker: w}
	for i := range count {
		m := w.rx.Message(i)
		if !n.client.IsValid() {
			n.client = m.From
		}
		if m.Truncated || m.From != n.client {
			continue
		}
		for one := range datagrams(m) {
			dest, size, ok := header(one)
			if !ok {
				continue
			}
			if f := n.towards(w, dest.Addr()); f != nil {
				g.put(f.socket, dest, nil, one[size:])
			}
		}
	}
	g.send()
}

// handle passes what destinations sent to the client, each with a header.
func (f *far) handle(w *worker, _ uint32) {
	count, err := w.rx.Receive(f.socket)
	if err != nil {
		return // an ICMP error; taken by being returned
	}
	g := gatherer{worker: w}
	var space [22]byte
	for i := range count {
		m := w.rx.Message(i)
		if m.Truncated {
			continue
		}
		head := appendEndpoint(append(space[:0], 0, 0, 0), m.From)
		for one := range datagrams(m) {
			g.put(f.near.socket, f.near.client, head, one)
		}
	}
	g.send()
}
