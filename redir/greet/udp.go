package greet

import (
	"encoding/binary"
	"net/netip"
)

// MostUDPHeader is the length of the longest header that AppendUDPHeader appends,
// in bytes.
const MostUDPHeader = udpHeadSize + 16 + 2

// udpHeadSize is that of what comes before the address: reserved, fragment, type.
const udpHeadSize = 4

// UDPHeaderSize is the length of dest's header.
func UDPHeaderSize(dest netip.Addr) int {
	if dest.Is4() || dest.Is4In6() {
		return udpHeadSize + 4 + 2
	}
	return MostUDPHeader
}

// AppendUDPHeader appends what stands before a datagram to dest (RFC 1928, 7).
func AppendUDPHeader(b []byte, dest netip.AddrPort) []byte {
	return appendAddr(append(b, 0, 0, 0), dest)
}

// ParseUDPHeader reads what stands before a datagram: who sent it, unmapped, and
// how long the header is. One that is a fragment, or whose sender has a name, is
// none.
func ParseUDPHeader(b []byte) (from netip.AddrPort, n int, ok bool) {
	if len(b) < udpHeadSize || b[2] != 0 {
		return from, 0, false
	}
	var addr netip.Addr
	switch kind, rest := b[3], b[udpHeadSize:]; {
	case kind == typeIPv4 && len(rest) >= 4+2:
		addr, n = netip.AddrFrom4([4]byte(rest)), udpHeadSize+4
	case kind == typeIPv6 && len(rest) >= 16+2:
		addr, n = netip.AddrFrom16([16]byte(rest)).Unmap(), udpHeadSize+16
	default:
		return from, 0, false
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[n:])), n + 2, true
}
