package icmp

import (
	"encoding/binary"
	"net/netip"
)

const (
	hopByHop, routing, fragment, destOptions = 0, 43, 44, 60 // extension headers, RFC 8200
	extensionsRead                           = 8             // at most
)

// TooBig is what an ICMPv6 packet too big says of a UDP packet.
type TooBig struct {
	From, To netip.AddrPort // of the packet; ports are 0 where it does not say
	MTU      uint32         // on the way to To
}

// ParseTooBig reads an ICMPv6 message, as a raw socket receives it. ok is false
// for any other message.
func ParseTooBig(b []byte) (t TooBig, ok bool) {
	if len(b) < headerSize+ipv6Size || b[0] != tooBig6 {
		return TooBig{}, false
	}
	quote := b[headerSize:]
	if quote[0]>>4 != 6 {
		return TooBig{}, false
	}
	next, rest := quote[6], quote[ipv6Size:]
	for range extensionsRead {
		switch next {
		case protoUDP:
			var from, to uint16
			if len(rest) >= udpSize {
				from, to = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
			}
			return TooBig{
				From: netip.AddrPortFrom(netip.AddrFrom16([16]byte(quote[8:])), from),
				To:   netip.AddrPortFrom(netip.AddrFrom16([16]byte(quote[24:])), to),
				MTU:  binary.BigEndian.Uint32(b[4:]),
			}, true
		case hopByHop, routing, fragment, destOptions:
		default:
			return TooBig{}, false
		}
		size := 8
		if len(rest) < size {
			return TooBig{}, false
		}
		if next != fragment {
			size += 8 * int(rest[1])
		}
		if len(rest) < size {
			return TooBig{}, false
		}
		next, rest = rest[0], rest[size:]
	}
	return TooBig{}, false
}
