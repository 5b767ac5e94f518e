package udp

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"golang.org/x/sys/unix"

	"sluice/loop"
)

// A sender for a narrow way writes IPv6's fragment header itself, and the UDP
// header: the kernel cuts what is longer than the way's MTU as it knows it, which
// is that of the next link, and has no option for less (IPV6_MTU bounds the
// length of fragments, not that of packets, ip6_finish_output in
// net/ipv6/ip6_output.c). It adds the IPv6 header.

const (
	// leastMTU is what every IPv6 link carries, in bytes (RFC 8200 section 5).
	leastMTU = 1280

	ipv6HeaderSize     = 40
	fragmentHeaderSize = 8 // RFC 8200 section 4.5
	// mostFragment is what a fragment carries, in bytes: a multiple of 8.
	mostFragment = leastMTU - ipv6HeaderSize - fragmentHeaderSize
	// mostWhole is the longest payload that leaves uncut.
	mostWhole = leastMTU - ipv6HeaderSize - udpHeaderSize
)

// mustCut reports whether datagrams of so many bytes must be cut on the way to an
// address.
func (w *Worker) mustCut(to netip.Addr, segment int) bool {
	return segment > mostWhole && w.icmp.narrow.has(to, w.r.Now())
}

// pushFragments is push for a narrow way: each datagram is cut. Fragments are
// counted as one datagram.
func (p *senders) pushFragments(b *sender, e *loop.Envelope, preface []byte, m *loop.Received) {
	dest, packet := e.Dest, *e
	packet.Dest = netip.AddrPortFrom(dest.Addr(), 0)
	for rest := m.Payload; len(rest) > 0; {
		part := rest[:min(m.Segment, len(rest))]
		rest = rest[len(part):]
		id, first := rand.Uint32(), udpHeaderSize+len(preface)
		length := first + len(part)
		for at := 0; at < length; at += mostFragment {
			end := min(at+mostFragment, length)
			header := p.header(b)[:fragmentHeaderSize]
			putFragmentHeader(header, at, end < length, id)
			from := at - first
			if at == 0 {
				header = append(header[:fragmentHeaderSize+udpHeaderSize], preface...)
				putUDPHeader(header[fragmentHeaderSize:], b.from(e.Source), dest, part)
				from = 0
			} else {
				b.cut++
			}
			p.worker.out.PushPrefixed(&packet, header, part[from:end-first])
		}
	}
}

// putFragmentHeader writes the header of a fragment of a UDP datagram that begins
// at an offset, in bytes.
func putFragmentHeader(b []byte, offset int, more bool, id uint32) {
	b[0], b[1] = unix.IPPROTO_UDP, 0
	field := uint16(offset) // a multiple of 8, in units of 8, above three bits
	if more {
		field |= 1
	}
	binary.BigEndian.PutUint16(b[2:], field)
	binary.BigEndian.PutUint32(b[4:], id)
}
