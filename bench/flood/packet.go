package flood

import (
	"encoding/binary"
	"net/netip"
)

// Sizes of headers, in bytes.
const (
	ip4Header = 20
	ip6Header = 40
	udpHeader = 8
	tcpHeader = 20
)

// Protocol numbers, and flags of a TCP header.
const (
	protoTCP = 6
	protoUDP = 17

	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// appendPacket appends an IP packet of a kind, with size bytes of payload (SYN and
// RST have none), whole with its checksums.
func appendPacket(b []byte, kind Kind, source, dest netip.AddrPort, size int) []byte {
	header, proto := tcpHeader, byte(protoTCP)
	switch kind {
	case UDP:
		header, proto = udpHeader, protoUDP
	case SYN, RST:
		size = 0
	}
	b = appendIP(b, proto, source.Addr(), dest.Addr(), header+size)
	body := len(b)
	b = append(b, make([]byte, header+size)...)
	t := b[body:]
	binary.BigEndian.PutUint16(t, source.Port())
	binary.BigEndian.PutUint16(t[2:], dest.Port())
	check := 6
	if kind == UDP {
		binary.BigEndian.PutUint16(t[4:], uint16(header+size))
	} else {
		check = 16
		binary.BigEndian.PutUint32(t[4:], uint32(source.Port())<<16) // any sequence number
		t[12] = tcpHeader / 4 << 4
		t[13] = map[Kind]byte{SYN: flagSYN, RST: flagRST, ACK: flagACK}[kind]
		binary.BigEndian.PutUint16(t[14:], 1<<16-1) // window
	}
	sum := pseudoSum(source.Addr(), dest.Addr(), proto, len(t)) + partSum(t)
	binary.BigEndian.PutUint16(t[check:], fold(sum))
	return b
}

func appendIP(b []byte, proto byte, source, dest netip.Addr, length int) []byte {
	const ttl, dontFragment = 64, 0x4000
	start := len(b)
	if source.Is4() {
		b = append(b, make([]byte, ip4Header)...)
		h := b[start:]
		h[0] = 4<<4 | ip4Header/4
		binary.BigEndian.PutUint16(h[2:], uint16(ip4Header+length))
		binary.BigEndian.PutUint16(h[6:], dontFragment)
		h[8], h[9] = ttl, proto
		copy(h[12:], source.AsSlice())
		copy(h[16:], dest.AsSlice())
		binary.BigEndian.PutUint16(h[10:], fold(partSum(h)))
		return b
	}
	b = append(b, make([]byte, ip6Header)...)
	h := b[start:]
	h[0] = 6 << 4
	binary.BigEndian.PutUint16(h[4:], uint16(length))
	h[6], h[7] = proto, ttl
	copy(h[8:], source.AsSlice())
	copy(h[24:], dest.AsSlice())
	return b
}

// pseudoSum is the part of a checksum that covers the addresses.
func pseudoSum(source, dest netip.Addr, proto byte, length int) uint32 {
	return partSum(source.AsSlice()) + partSum(dest.AsSlice()) + uint32(proto) + uint32(length)
}

// partSum adds up the words of b (RFC 1071).
func partSum(b []byte) (sum uint32) {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	if sum == 0xffff { // of UDP, 0 would say that there is none
		return 0xffff
	}
	return ^uint16(sum)
}
