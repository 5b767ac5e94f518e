package udp

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"golang.org/x/sys/unix"

	"sluice/loop"
	"sluice/redir/proxyproto"
)

// A raw sender writes the UDP header itself (raw(7)). The kernel
// adds the IP header, with the source that the message names, and fragments
// what is longer than the path's MTU. Bound to a documentation address, it gets
// no copy of what the machine receives.

const udpHeaderSize = 8 // bytes: ports, length, checksum (RFC 768)

// rawHeaders are the headers, and prefaces, of the messages that wait in a
// SendBatch.
type rawHeaders [][fragmentHeaderSize + udpHeaderSize + proxyproto.MostV2]byte

// header is the place for the next message's, which has room in the batch: else
// what waits there is sent first.
func (p *senders) header(b *sender) []byte {
	if !p.worker.out.HasRoom() {
		p.makeRoom(b)
	}
	return p.raw[p.worker.out.Len()][:]
}

// pushRaw is push for a raw sender: each datagram has a header.
func (p *senders) pushRaw(b *sender, e *loop.Envelope, preface []byte, m *loop.Received) {
	w, dest := p.worker, e.Dest
	packet := *e
	// The port of a raw socket's address is 0: rawv6_sendmsg takes another one
	// for the protocol.
	packet.Dest = netip.AddrPortFrom(dest.Addr(), 0)
	for rest := m.Payload; ; {
		part := rest[:min(m.Segment, len(rest))]
		header := append(p.header(b)[:udpHeaderSize], preface...)
		putUDPHeader(header, b.from(e.Source), dest, part)
		w.out.PushPrefixed(&packet, header, part)
		w.counters.Add(p.fallback, 1)
		if rest = rest[len(part):]; len(rest) == 0 {
			return
		}
	}
}

// putUDPHeader writes the header of a datagram to the front of b; what else is in
// b comes before payload. A checksum of 0 is sent as its other form, 0xffff, since
// 0 means none (RFC 768).
func putUDPHeader(b []byte, source, dest netip.AddrPort, payload []byte) {
	binary.BigEndian.PutUint16(b, source.Port())
	binary.BigEndian.PutUint16(b[2:], dest.Port())
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)+len(payload)))
	binary.BigEndian.PutUint16(b[6:], 0)
	// IPv4 as ::ffff:a.b.c.d, whose ffff is 0 in ones' complement.
	from, to := source.Addr().As16(), dest.Addr().As16()
	sum := onesSum(from[:], 0)
	sum = onesSum(to[:], sum)
	sum = onesAdd(sum, uint64(unix.IPPROTO_UDP)+uint64(len(b)+len(payload)))
	sum = onesSum(b, sum)
	sum = onesSum(payload, sum)
	check := ^fold(sum)
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(b[6:], check)
}

// onesSum adds big-endian words to a ones' complement sum (RFC 1071), eight
// bytes at a time. An odd last byte counts as the high one of its word.
func onesSum(b []byte, sum uint64) uint64 {
	for ; len(b) >= 8; b = b[8:] {
		sum = onesAdd(sum, binary.BigEndian.Uint64(b))
	}
	if len(b) > 0 {
		var last [8]byte
		copy(last[:], b)
		sum = onesAdd(sum, binary.BigEndian.Uint64(last[:]))
	}
	return sum
}

func onesAdd(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	return sum + carry
}

// fold brings a sum to 16 bits.
func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
