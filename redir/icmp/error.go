package icmp

import (
	"encoding/binary"
	"net/netip"
)

// Error is what an ICMP error says.
type Error struct {
	Type, Code byte
	// Info is the MTU of the next hop in a "packet too big" or "fragmentation
	// needed", the pointer in an ICMPv6 parameter problem; else 0.
	Info     uint32
	Offender netip.Addr // who says so; not valid where it is the gateway itself
}

// Unreachable is the error that a router sends where it knows no way on
// (RFC 792, RFC 4443 section 3.1).
func Unreachable(v6 bool) Error {
	if v6 {
		return Error{Type: 1}
	}
	return Error{Type: 3}
}

// PortUnreachable is the error that whoever a datagram is for sends where nobody
// takes it (likewise).
func PortUnreachable(v6 bool) Error {
	if v6 {
		return Error{Type: 1, Code: 4}
	}
	return Error{Type: 3, Code: 3}
}

// For is the error for a client of another path: one whose datagrams get so many
// bytes more on the way on, where they are of the same family or not. False where the
// client's family has no word for it.
func (e Error) For(v4, client4 bool, more int) (Error, bool) {
	tooBig, unreachable := e.IsTooBig(v4), e.IsUnreachable()
	if tooBig && e.Info > uint32(more) {
		e.Info -= uint32(more)
	}
	if v4 == client4 {
		return e, true
	}
	const headers = ipv6Size - ipv4Size
	switch {
	case tooBig && client4 && e.Info > headers:
		return Error{Type: unreachable4, Code: fragmentationNeeded, Info: e.Info - headers}, true
	case tooBig && v4:
		return Error{Type: tooBig6, Info: e.Info + headers}, true
	case unreachable:
		return Unreachable(!client4), true
	}
	return Error{}, false
}

// Types of errors; the others are answers and questions.
const (
	unreachable4, timeExceeded4, parameterProblem4 = 3, 11, 12
	fragmentationNeeded                            = 4 // code of unreachable4
	unreachable6, parameterProblem6                = 1, 4
	tooBig6                                        = 2
)

// IsUnreachable reports whether nobody takes such datagrams there: not whether one
// of them was too long.
func (e Error) IsUnreachable() bool {
	if !e.Offender.IsValid() || e.Offender.Is4() {
		return e.Type == unreachable4 && e.Code != fragmentationNeeded
	}
	return e.Type == unreachable6
}

// IsError reports whether a type is that of an error.
func IsError(v6 bool, kind byte) bool {
	if v6 {
		return kind >= unreachable6 && kind <= parameterProblem6
	}
	return kind == unreachable4 || kind == timeExceeded4 || kind == parameterProblem4
}

// IsTooBig reports whether Info is an MTU.
func (e *Error) IsTooBig(v4 bool) bool {
	if v4 {
		return e.Type == unreachable4 && e.Code == fragmentationNeeded
	}
	return e.Type == tooBig6
}

const (
	headerSize = 8 // of an ICMP message
	ipv4Size   = 20
	ipv6Size   = 40
	udpSize    = 8
	protoUDP   = 17
	quoteTTL   = 64 // what is left of a hop limit that nobody knows
	quoted     = 64 // bytes of payload that Append quotes at most
	// MaxSize is the longest message that Append writes, in bytes.
	MaxSize = headerSize + ipv6Size + udpSize + quoted
)

// Append appends the ICMP message that says e about a datagram from client to
// dest, of which payload is as much as is known. Both are of one family. IPv4's
// checksum is written; IPv6's is the kernel's to write (raw sockets of
// IPPROTO_ICMPV6, RFC 3542 section 3.1).
func Append(b []byte, e Error, client, dest netip.AddrPort, payload []byte) []byte {
	start := len(b)
	b = append(b, e.Type, e.Code, 0, 0)
	if client.Addr().Is4() && e.IsTooBig(true) {
		b = binary.BigEndian.AppendUint16(b, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(min(e.Info, 0xffff))) // RFC 1191 section 4
	} else {
		b = binary.BigEndian.AppendUint32(b, e.Info)
	}
	length := udpSize + len(payload)
	if client.Addr().Is4() {
		b = appendIPv4(b, client.Addr(), dest.Addr(), length)
	} else {
		b = appendIPv6(b, client.Addr(), dest.Addr(), length)
	}
	b = binary.BigEndian.AppendUint16(b, client.Port())
	b = binary.BigEndian.AppendUint16(b, dest.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, 0, 0)
	b = append(b, payload[:min(len(payload), quoted)]...)
	if client.Addr().Is4() {
		binary.BigEndian.PutUint16(b[start+2:], checksum(b[start:]))
	}
	return b
}

func appendIPv4(b []byte, from, to netip.Addr, length int) []byte {
	start, source, dest := len(b), from.As4(), to.As4()
	b = append(b, 4<<4|ipv4Size/4, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(ipv4Size+length))
	b = append(b, 0, 0, 0, 0, quoteTTL, protoUDP, 0, 0)
	b = append(append(b, source[:]...), dest[:]...)
	binary.BigEndian.PutUint16(b[start+10:], checksum(b[start:]))
	return b
}

func appendIPv6(b []byte, from, to netip.Addr, length int) []byte {
	source, dest := from.As16(), to.As16()
	b = append(b, 6<<4, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(length))
	b = append(b, protoUDP, quoteTTL)
	return append(append(b, source[:]...), dest[:]...)
}

// checksum is RFC 1071's.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
