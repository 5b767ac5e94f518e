package socks

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"sluice/bench/dgram"
)

// state is what a pair waits for.
type state uint8

const (
	greeting   state = iota // the client's greeting and request
	connecting              // the destination
	relaying
	answering // a request, in the destination's place
)

// pair is a client's connection and that to its destination.
type pair struct {
	client, dest end
	state        state
	relay        bool   // without a greeting
	greeted      bool   // the greeting was taken
	served       bool   // of answering: the request was answered
	answer       []byte // to the client, not sent yet
	asked        []byte // by the client, not understood yet
	closed       bool
}

// end is one of the two connections of a pair; it also holds what was read from it
// and not written to the other.
type end struct {
	fd   int
	pair *pair
	side
}

// ends are the events after which an end must be read to its end.
const ends = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

// handle goes on with what the pair waits for.
func (e *end) handle(w *worker, events uint32) {
	p := e.pair
	switch {
	case p.state == greeting:
		p.greet(w)
	case p.state == connecting && e == &p.dest && events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0:
		p.connected(w, events)
	case p.state == connecting && e == &p.client && events&(unix.EPOLLERR|unix.EPOLLHUP) != 0:
		p.close(w)
	case p.state == answering:
		p.serve(w)
	case p.state == relaying:
		if events&(unix.EPOLLIN|ends) != 0 {
			p.pump(w, e, events&ends != 0)
		}
		if events&unix.EPOLLOUT != 0 && !p.closed && p.other(e).held() {
			p.pump(w, p.other(e), true)
		}
	}
}

func (p *pair) other(e *end) *end {
	if e == &p.client {
		return &p.dest
	}
	return &p.client
}

// greet reads what there is of greeting and request, and answers what is whole.
func (p *pair) greet(w *worker) {
	for {
		n, err := unix.Read(p.client.fd, w.buf)
		switch {
		case err == unix.EAGAIN:
			p.send()
			return
		case err != nil || n == 0 || len(p.asked)+n > mostRequest+copyBuffer:
			p.close(w)
			return
		}
		p.asked = append(p.asked, w.buf[:n]...)
		if p.understand(w) {
			return
		}
	}
}

// understand takes greeting and request from what was read; true when nothing more
// is to be read for them.
func (p *pair) understand(w *worker) (whole bool) {
	if !p.greeted {
		switch n := greetingLen(p.asked); n {
		case 0:
			return false
		case -1:
			p.close(w)
			return true
		default:
			p.greeted, p.asked = true, p.asked[n:]
			p.answer = append(p.answer, version, succeeded)
		}
	}
	command, dest, n, reply := request(p.asked)
	switch {
	case n == 0:
		return false
	case reply != succeeded:
		p.refuse(w, reply)
	case command == cmdAssociate:
		p.associate(w)
	default:
		p.asked = p.asked[n:]
		p.connect(w, dest)
	}
	return true
}

// send sends the answers that are due; they fit into an empty socket.
func (p *pair) send() {
	if len(p.answer) > 0 {
		_, _ = unix.Write(p.client.fd, p.answer) // the client misses what is missing
		p.answer = nil
	}
}

func (p *pair) refuse(w *worker, reply byte) {
	if !p.relay {
		p.answer = appendReply(p.answer, reply, netip.AddrPort{})
		p.send()
	}
	p.close(w)
}

// connect begins to connect to the destination.
func (p *pair) connect(w *worker, to netip.AddrPort) {
	if w.isAnswered(to) {
		p.answerIt(w)
		return
	}
	p.state = connecting
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		p.refuse(w, generalFailure)
		return
	}
	p.dest.fd = fd
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	err = unix.Connect(fd, dgram.Sockaddr(to))
	if err != nil && err != unix.EINPROGRESS {
		_ = unix.Close(fd)
		p.dest.fd = -1
		p.refuse(w, replyTo(err))
		return
	}
	if w.watch(fd, unix.EPOLLIN|unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET, &p.dest) != nil {
		p.refuse(w, generalFailure)
	}
}

// connected begins the relay, or tells the client why there is none.
func (p *pair) connected(w *worker, events uint32) {
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		errno, _ := unix.GetsockoptInt(p.dest.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		p.refuse(w, replyTo(unix.Errno(errno)))
		return
	}
	p.state = relaying
	if !p.relay {
		p.answer = appendReply(p.answer, succeeded, netip.AddrPort{})
		p.send()
	}
	p.client.pending, p.asked = p.asked, nil
	p.pump(w, &p.client, true)
	if events&(unix.EPOLLIN|ends) != 0 && !p.closed {
		p.pump(w, &p.dest, true)
	}
}

func replyTo(err error) byte {
	switch {
	case errors.Is(err, unix.ECONNREFUSED):
		return connectionRefused
	case errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.ETIMEDOUT):
		return hostUnreachable
	}
	return generalFailure
}

// close closes both connections.
func (p *pair) close(w *worker) {
	if p.closed {
		return
	}
	p.closed = true
	for _, e := range []*end{&p.client, &p.dest} {
		e.release()
		if e.fd >= 0 {
			w.drop(e.fd)
		}
	}
}

// reset closes both connections by RST.
func (p *pair) reset(w *worker) {
	for _, e := range []*end{&p.client, &p.dest} {
		_ = unix.SetsockoptLinger(e.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	p.close(w)
}
