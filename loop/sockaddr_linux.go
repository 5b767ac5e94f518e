package loop

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// SockaddrSize is the size of the longest internet socket address, in bytes.
const SockaddrSize = unix.SizeofSockaddrInet6

// Where struct sockaddr_in and struct sockaddr_in6 keep what (ip(7), ipv6(7)).
const (
	sockaddrPort   = 2 // network byte order
	sockaddrAddr4  = 4
	sockaddrAddr6  = 8 // after the flow label
	sockaddrScope6 = 24
)

// ParseSockaddr reads a socket address as the kernel writes it. An IPv4-mapped
// IPv6 address is unmapped. scope is the interface index of a link-local
// address, else 0; the address itself has no zone. ok is false for what is not
// a whole internet address.
func ParseSockaddr(b []byte) (addr netip.AddrPort, scope uint32, ok bool) {
	if len(b) < unix.SizeofSockaddrInet4 {
		return netip.AddrPort{}, 0, false
	}
	port := binary.BigEndian.Uint16(b[sockaddrPort:])
	switch binary.NativeEndian.Uint16(b) {
	case unix.AF_INET:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[sockaddrAddr4:])), port), 0, true
	case unix.AF_INET6:
		if len(b) < unix.SizeofSockaddrInet6 {
			return netip.AddrPort{}, 0, false
		}
		a := netip.AddrFrom16([16]byte(b[sockaddrAddr6:]))
		return netip.AddrPortFrom(a.Unmap(), port), binary.NativeEndian.Uint32(b[sockaddrScope6:]), true
	}
	return netip.AddrPort{}, 0, false
}

// PutSockaddr writes addr into b, which holds at least SockaddrSize bytes, as
// sockaddr_in or sockaddr_in6, and returns how many bytes it wrote. scope is
// written for IPv6 only; addr's zone is ignored.
func PutSockaddr(b []byte, addr netip.AddrPort, scope uint32) int {
	binary.BigEndian.PutUint16(b[sockaddrPort:], addr.Port())
	if addr.Addr().Is4() {
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		a := addr.Addr().As4()
		copy(b[sockaddrAddr4:], a[:])
		clear(b[sockaddrAddr4+len(a) : unix.SizeofSockaddrInet4])
		return unix.SizeofSockaddrInet4
	}
	binary.NativeEndian.PutUint16(b, unix.AF_INET6)
	clear(b[sockaddrPort+2 : sockaddrAddr6])
	a := addr.Addr().As16()
	copy(b[sockaddrAddr6:], a[:])
	binary.NativeEndian.PutUint32(b[sockaddrScope6:], scope)
	return unix.SizeofSockaddrInet6
}
