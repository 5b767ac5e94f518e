package udp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/count"
	"sluice/redir/greet"
	"sluice/redir/icmp"
	"sluice/redir/socket"
)

const (
	// errorsPerSecond and errorsAtOnce bound the errors that one worker passes
	// on, as net.ipv4.icmp_msgs_per_sec and icmp_msgs_burst bound a router's.
	errorsPerSecond = 1000
	errorsAtOnce    = 50
	// errorsPerEdge bounds how many errors are read at a time: more than the
	// receive buffer of a flow holds.
	errorsPerEdge = 1024
)

// messenger passes the ICMP errors about upstream datagrams on to clients, as
// the router or remote that they come from, and hears which clients' paths are
// narrow.
type messenger struct {
	w       *Worker
	v4, v6  int // raw sockets, -1: the kernel has not the family
	tokens  int64
	filled  int64 // ns of Reactor.Now
	narrow  narrowPaths
	message [icmp.MaxSize]byte
	data    [1 << 9]byte
	control [1 << 8]byte
}

func (m *messenger) init(w *Worker) {
	m.w, m.v4, m.v6 = w, -1, -1
	m.tokens = errorsAtOnce
	m.narrow.init()
}

// open opens the sockets, once there is UDP to carry: they need CAP_NET_RAW.
func (m *messenger) open() (err error) {
	if m.v4 >= 0 {
		return nil
	}
	w := m.w
	if m.v4, err = openICMP4(w.set.Mark); err != nil {
		return err
	}
	if m.v6, err = openICMP6(w.set.Mark); err == nil && m.v6 >= 0 {
		err = w.r.Add(m.v6, loop.Readable, m)
	}
	if err != nil {
		m.close()
		return fmt.Errorf("open raw sockets for ICMP errors: %w", err)
	}
	return nil
}

// setMark gives the sockets another mark.
func (m *messenger) setMark(mark uint32) {
	for _, fd := range []int{m.v4, m.v6} {
		if fd >= 0 {
			socket.SetInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int32(mark))
		}
	}
}

func (m *messenger) close() {
	if m.v4 >= 0 {
		unix.Close(m.v4)
	}
	if m.v6 >= 0 {
		m.w.r.Close(m.v6)
	}
	m.v4, m.v6 = -1, -1
}

// openICMP4 is a raw socket that sends as anybody. Bound to a documentation
// address, it receives nothing.
func openICMP4(mark uint32) (int, error) {
	return openRaw(netip.AddrPortFrom(documentation4, 0), unix.IPPROTO_ICMP, mark)
}

// openICMP6 is the same, and receives what the kernel is told of too big
// packets; -1 where there is no IPv6.
func openICMP6(mark uint32) (int, error) {
	fd, err := openRaw(netip.AddrPortFrom(netip.IPv6Unspecified(), 0), unix.IPPROTO_ICMPV6, mark)
	if errno, ok := socket.ErrnoOf(err); ok && errno == unix.EAFNOSUPPORT {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	var filter unix.ICMPv6Filter // a bit for each type that does not pass
	for i := range filter.Data {
		filter.Data[i] = ^uint32(0)
	}
	const tooBig = 2
	filter.Data[0] &^= 1 << tooBig
	if err := unix.SetsockoptICMPv6Filter(fd, unix.SOL_ICMPV6, unix.ICMPV6_FILTER, &filter); err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("setsockopt ICMPV6_FILTER", err)
	}
	return fd, nil
}

func openRaw(addr netip.AddrPort, protocol int, mark uint32) (int, error) {
	fd, err := unix.Socket(socket.Family(addr.Addr()), unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = socket.SetOptions(fd, []socket.Option{
		socket.Transparent(addr.Addr()),
		{Name: "SO_MARK", Level: unix.SOL_SOCKET, Opt: unix.SO_MARK, Value: int(mark)},
	})
	if err == nil && !addr.Addr().IsUnspecified() {
		err = socket.Bind(fd, addr)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// passOn reads what the network has said of f's datagrams, and tells f's
// client.
func (m *messenger) passOn(f *flow) {
	for range errorsPerEdge {
		n, controlled, _, to, err := unix.Recvmsg(int(f.fd), m.data[:], m.control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		dest, ok := addrPortOf(to)
		e, said := parseError(m.control[:controlled])
		if ok && said && m.w.set.ICMP {
			m.tellOf(f, dest, e, m.data[:n])
		}
		if said && e.IsUnreachable() {
			m.w.failed(f.entry)
		}
	}
}

// tellOf tells the client of f about what was sent to dest for it. Errors of the
// other family have no words for it.
func (m *messenger) tellOf(f *flow, dest netip.AddrPort, e icmp.Error, payload []byte) {
	client := f.client()
	if dest.Addr().Is4() != client.Addr().Is4() {
		m.w.counters.Add(count.ICMPSuppressed, 1)
		return
	}
	if f.view != nil {
		e.Offender = f.view.offender(e.Offender)
		dest, _ = f.view.back(dest)
	}
	if f.told {
		payload = withoutPreface(&e, payload, client, dest)
	}
	m.tell(client, f.scope, dest, e, payload)
}

// passOnRelayed reads what the network has said of what a session has sent to its
// relay, and tells its client.
func (m *messenger) passOnRelayed(r *relay) {
	for range errorsPerEdge {
		n, controlled, _, _, err := unix.Recvmsg(r.fd, m.data[:], m.control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return
		}
		e, said := parseError(m.control[:controlled])
		if !said {
			continue
		}
		if m.w.set.ICMP {
			m.tellRelayed(r, e, m.data[:n])
		}
		if e.IsUnreachable() && !r.closed {
			r.a.lost()
		}
	}
}

// tellRelayed tells the client of a session about what was sent to its relay, with
// as much of that as is known.
func (m *messenger) tellRelayed(r *relay, e icmp.Error, quote []byte) {
	f := r.a.f
	v4 := f.client().Addr().Is4()
	dest, size, known := greet.ParseUDPHeader(quote)
	if !known {
		dest, size = f.there.first, greet.UDPHeaderSize(f.there.first.Addr())
		if f.view != nil {
			dest = f.view.out(dest)
		}
	}
	e, ok := e.For(r.at.Addr().Is4(), v4, size)
	if !ok {
		m.w.counters.Add(count.ICMPSuppressed, 1)
		return
	}
	m.tellOf(f, dest, e, quote[min(size, len(quote)):])
}

// tell sends a client (with its scope) the error e about what it sent to dest.
func (m *messenger) tell(client netip.AddrPort, scope uint32, dest netip.AddrPort, e icmp.Error, payload []byte) {
	fd := m.v6
	if client.Addr().Is4() {
		fd = m.v4
	}
	if fd < 0 || !m.mayTell() {
		m.w.counters.Add(count.ICMPSuppressed, 1)
		return
	}
	packet := loop.Envelope{Dest: netip.AddrPortFrom(client.Addr(), 0), DestScope: scope, Source: e.Offender}
	if !m.w.out.PushPrefixed(&packet, icmp.Append(m.message[:0], e, client, dest, payload), nil) {
		m.w.counters.Add(count.ICMPSuppressed, 1) // what is to be sent fills the batch
		return
	}
	var gso loop.GSO
	if sent := m.w.out.Send(fd, &gso); sent.Dropped > 0 {
		m.w.counters.Add(count.ICMPSuppressed, 1)
		return
	}
	m.w.counters.Add(count.ICMPToClient, 1)
}

// mayTell takes one of the tokens that time brings.
func (m *messenger) mayTell() bool {
	const each = int64(time.Second) / errorsPerSecond
	now := m.w.r.Now()
	if fresh := (now - m.filled) / each; fresh > 0 {
		m.tokens = min(errorsAtOnce, m.tokens+fresh)
		m.filled += fresh * each
	}
	if m.tokens == 0 {
		return false
	}
	m.tokens--
	return true
}

// parseError reads struct sock_extended_err and the offender's address behind
// it (ip(7) IP_RECVERR). It reports false for what no router said.
func parseError(control []byte) (icmp.Error, bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return icmp.Error{}, false
	}
	for _, m := range messages {
		v6 := m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if !v6 && (m.Header.Level != unix.SOL_IP || m.Header.Type != unix.IP_RECVERR) {
			continue
		}
		const size, origin, kind, code, info = 16, 4, 5, 6, 8
		if len(m.Data) < size {
			continue
		}
		from := byte(unix.SO_EE_ORIGIN_ICMP)
		if v6 {
			from = unix.SO_EE_ORIGIN_ICMP6
		}
		if m.Data[origin] != from || !icmp.IsError(v6, m.Data[kind]) {
			continue
		}
		offender, _, ok := loop.ParseSockaddr(m.Data[size:])
		if !ok {
			continue
		}
		return icmp.Error{Type: m.Data[kind], Code: m.Data[code],
			Info: binary.NativeEndian.Uint32(m.Data[info:]), Offender: offender.Addr()}, true
	}
	return icmp.Error{}, false
}

func addrPortOf(sa unix.Sockaddr) (netip.AddrPort, bool) {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), true
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port)), true
	}
	return netip.AddrPort{}, false
}
