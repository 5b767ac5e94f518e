package dgram

import (
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Config shapes a socket.
type Config struct {
	Local      netip.AddrPort // its address decides the family; IPv6 takes IPv6 only
	ReusePort  bool           // share the address with other sockets (SO_REUSEPORT)
	ToAddress  bool           // tell the local address of each datagram (IP_PKTINFO)
	GRO        bool           // take runs (UDP_GRO), where the kernel can
	Blocking   bool           // wait in Receive and Send, at most Timeout
	Timeout    time.Duration
	BufferSize int // of both kernel buffers, in bytes; 0: the system's
}

// Socket is a UDP socket. Its owner closes it once.
type Socket struct {
	FD   int
	IPv6 bool
}

// Open makes and binds a socket.
func Open(c Config) (s Socket, err error) {
	s.IPv6 = c.Local.Addr().Is6()
	family := unix.AF_INET
	if s.IPv6 {
		family = unix.AF_INET6
	}
	kind := unix.SOCK_DGRAM | unix.SOCK_CLOEXEC
	if !c.Blocking {
		kind |= unix.SOCK_NONBLOCK
	}
	if s.FD, err = unix.Socket(family, kind, 0); err != nil {
		return s, os.NewSyscallError("socket", err)
	}
	if err = s.configure(c); err == nil {
		err = os.NewSyscallError("bind", unix.Bind(s.FD, Sockaddr(c.Local)))
	}
	if err != nil {
		unix.Close(s.FD)
		return s, fmt.Errorf("udp %s: %w", c.Local, err)
	}
	return s, nil
}

func (s Socket) configure(c Config) error {
	options := []struct {
		on                 bool
		level, name, value int
	}{
		{s.IPv6, unix.SOL_IPV6, unix.IPV6_V6ONLY, 1},
		{c.ReusePort, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1},
		{c.ToAddress && !s.IPv6, unix.SOL_IP, unix.IP_PKTINFO, 1},
		{c.ToAddress && s.IPv6, unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1},
	}
	for _, o := range options {
		if !o.on {
			continue
		}
		if err := unix.SetsockoptInt(s.FD, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if c.GRO {
		_ = unix.SetsockoptInt(s.FD, unix.SOL_UDP, unix.UDP_GRO, 1) // single datagrams without (Linux < 5.0)
	}
	if c.BufferSize > 0 {
		s.setBuffer(unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, c.BufferSize)
		s.setBuffer(unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, c.BufferSize)
	}
	if c.Blocking && c.Timeout > 0 {
		tv := unix.NsecToTimeval(int64(c.Timeout))
		for _, o := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
			if err := unix.SetsockoptTimeval(s.FD, unix.SOL_SOCKET, o, &tv); err != nil {
				return os.NewSyscallError("setsockopt", err)
			}
		}
	}
	return nil
}

// setBuffer asks for a kernel buffer beyond the limit of net.core, and without
// CAP_NET_ADMIN for as much as the limit lets through.
func (s Socket) setBuffer(force, plain, size int) {
	if unix.SetsockoptInt(s.FD, unix.SOL_SOCKET, force, size) != nil {
		_ = unix.SetsockoptInt(s.FD, unix.SOL_SOCKET, plain, size) // the kernel caps it and does not fail
	}
}

// Local is the address that the socket is bound to.
func (s Socket) Local() netip.AddrPort {
	sa, err := unix.Getsockname(s.FD)
	if err != nil {
		return netip.AddrPort{}
	}
	return AddrPort(sa)
}

// Close closes the socket.
func (s Socket) Close() error { return os.NewSyscallError("close", unix.Close(s.FD)) }

// Sockaddr converts an address for x/sys; an IPv4-mapped one becomes IPv4.
func Sockaddr(a netip.AddrPort) unix.Sockaddr {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// AddrPort converts an address of x/sys.
func AddrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
