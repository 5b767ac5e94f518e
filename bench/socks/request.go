package socks

import (
	"encoding/binary"
	"net/netip"
)

// Numbers of RFC 1928.
const (
	version      = 5
	cmdConnect   = 1
	cmdAssociate = 3
	atypIPv4     = 1
	atypIPv6     = 4

	succeeded          = 0
	generalFailure     = 1
	hostUnreachable    = 4
	connectionRefused  = 5
	commandUnsupported = 7
	addressUnsupported = 8
)

// mostRequest is the length of the longest greeting and request, in bytes.
const mostRequest = 2 + 255 + 4 + 256 + 2

// greetingLen is the length of the greeting that b begins with; 0: not whole yet,
// -1: none.
func greetingLen(b []byte) int {
	switch {
	case len(b) > 0 && b[0] != version:
		return -1
	case len(b) < 2 || len(b) < 2+int(b[1]):
		return 0
	}
	return 2 + int(b[1])
}

// request reads a request. n is its length; 0: not whole yet. reply is what is
// amiss with it, or succeeded.
func request(b []byte) (command byte, dest netip.AddrPort, n int, reply byte) {
	if len(b) < 5 {
		return 0, dest, 0, succeeded
	}
	if b[0] != version {
		return 0, dest, len(b), generalFailure
	}
	dest, size, ok := endpoint(b[3:])
	switch {
	case !ok:
		return 0, dest, len(b), addressUnsupported
	case size == 0:
		return 0, dest, 0, succeeded
	case b[1] != cmdConnect && b[1] != cmdAssociate:
		return 0, dest, 3 + size, commandUnsupported
	}
	return b[1], dest, 3 + size, succeeded
}

// endpoint reads an address with its kind, and a port. size is their length; 0: not
// whole yet.
func endpoint(b []byte) (at netip.AddrPort, size int, ok bool) {
	var addr netip.Addr
	if len(b) == 0 {
		return at, 0, true
	}
	switch b[0] {
	case atypIPv4:
		if len(b) < 1+4+2 {
			return at, 0, true
		}
		addr, size = netip.AddrFrom4([4]byte(b[1:5])), 5
	case atypIPv6:
		if len(b) < 1+16+2 {
			return at, 0, true
		}
		addr, size = netip.AddrFrom16([16]byte(b[1:17])).Unmap(), 17
	default:
		return at, 0, false
	}
	return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[size:])), size + 2, true
}

// appendEndpoint writes what endpoint reads.
func appendEndpoint(b []byte, at netip.AddrPort) []byte {
	kind := byte(atypIPv4)
	if at.Addr().Is6() {
		kind = atypIPv6
	}
	b = append(append(b, kind), at.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(b, at.Port())
}

// appendReply answers a request.
func appendReply(b []byte, reply byte, bound netip.AddrPort) []byte {
	if !bound.IsValid() {
		bound = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return appendEndpoint(append(b, version, reply, 0), bound)
}
