package icmp

import (
	"encoding/binary"
	"net/netip"
)

const (
	hopByHop, routing, fragment, destOptions = 0, 43, 44, 60 // extension headers, RFC 8200
	extensionsRead                           = 8             // at most
)

// ParseTooBig reads an ICMPv6 message, as a raw socket receives it, and returns
// the destination of the UDP packet that it calls too big, and the MTU on the
// way there. ok is false for any other message.
func ParseTooBig(b []byte) (to netip.Addr, mtu uint32, ok bool) {
	if len(b) < headerSize+ipv6Size || b[0] != tooBig6 {
		return netip.Addr{}, 0, false
	}
	quote := b[headerSize:]
	if quote[0]>>4 != 6 {
		return netip.Addr{}, 0, false
	}
	next, rest := quote[6], quote[ipv6Size:]
	for range extensionsRead {
		switch next {
		case protoUDP:
			return netip.AddrFrom16([16]byte(quote[24:])), binary.BigEndian.Uint32(b[4:]), true
		case hopByHop, routing, fragment, destOptions:
		default:
			return netip.Addr{}, 0, false
		}
		size := 8
		if len(rest) < size {
			return netip.Addr{}, 0, false
		}
		if next != fragment {
			size += 8 * int(rest[1])
		}
		if len(rest) < size {
			return netip.Addr{}, 0, false
		}
		next, rest = rest[0], rest[size:]
	}
	return netip.Addr{}, 0, false
}
