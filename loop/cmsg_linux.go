package loop

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Room for control messages, in bytes, headers and padding included (cmsg(3)).
const (
	controlHead = unix.SizeofCmsghdr
	// receiveControl holds an original destination, a UDP_GRO, a type of service
	// and, on 64 bits, 32 bytes of what nobody asked for.
	receiveControl = 128
	// sendControl holds a source, a type of service and a UDP_SEGMENT.
	sendControl = 88
)

// control is what the control messages of one received message say.
type control struct {
	dest    netip.AddrPort // original destination; not valid when absent
	scope   uint32         // of dest
	segment int            // bytes of each datagram that GRO merged; 0 when absent
	tos     uint8          // type of service, or traffic class; 0 when absent
}

// parseControl reads the control messages that the kernel wrote with one
// message. It skips those that it does not know, and stops at one that is not
// whole.
//
//   - IP_ORIGDSTADDR, IPV6_ORIGDSTADDR: a socket address (ip_cmsg_recv_dstaddr
//     in net/ipv4/ip_sockglue.c, ip6_datagram_recv_specific_ctl).
//   - UDP_GRO: an int (udp_cmsg_recv in include/linux/udp.h).
//   - IP_TOS: a byte (ip_cmsg_recv_tos); IPV6_TCLASS: an int.
func parseControl(b []byte) (c control) {
	for len(b) >= unix.SizeofCmsghdr {
		size, level, kind := controlHeader(b)
		if size < controlHead || size > uint64(len(b)) {
			return c
		}
		data := b[controlHead:size]
		switch {
		case level == unix.SOL_UDP && kind == unix.UDP_GRO && len(data) >= 4:
			c.segment = int(int32(binary.NativeEndian.Uint32(data)))
		case level == unix.SOL_IP && kind == unix.IP_ORIGDSTADDR,
			level == unix.SOL_IPV6 && kind == unix.IPV6_ORIGDSTADDR:
			c.dest, c.scope, _ = ParseSockaddr(data)
		case level == unix.SOL_IP && kind == unix.IP_TOS && len(data) >= 1:
			c.tos = data[0]
		case level == unix.SOL_IPV6 && kind == unix.IPV6_TCLASS && len(data) >= 4:
			c.tos = uint8(binary.NativeEndian.Uint32(data))
		}
		b = b[min(unix.CmsgSpace(len(data)), len(b)):]
	}
	return c
}

// controlHeader reads struct cmsghdr: a size_t and two ints.
func controlHeader(b []byte) (size uint64, level, kind int32) {
	if unix.SizeofPtr == 8 {
		size, b = binary.NativeEndian.Uint64(b), b[8:]
	} else {
		size, b = uint64(binary.NativeEndian.Uint32(b)), b[4:]
	}
	return size, int32(binary.NativeEndian.Uint32(b)), int32(binary.NativeEndian.Uint32(b[4:]))
}

// putControlHeader writes struct cmsghdr for size bytes of data, and returns
// the place of these and what follows them.
func putControlHeader(b []byte, level, kind int32, size int) (data, rest []byte) {
	head := b
	if unix.SizeofPtr == 8 {
		binary.NativeEndian.PutUint64(head, uint64(unix.CmsgLen(size)))
		head = head[8:]
	} else {
		binary.NativeEndian.PutUint32(head, uint32(unix.CmsgLen(size)))
		head = head[4:]
	}
	binary.NativeEndian.PutUint32(head, uint32(level))
	binary.NativeEndian.PutUint32(head[4:], uint32(kind))
	space := unix.CmsgSpace(size)
	clear(b[controlHead:space])
	return b[controlHead:space], b[space:]
}

// putSource writes the control message that gives a message its source
// address, and returns what follows it. ifindex is the interface to send by,
// which an IPv6 link-local source needs; else 0.
//
//   - IP_PKTINFO: ipi_spec_dst is the source (ip(7), ip_cmsg_send).
//   - IPV6_PKTINFO: ipi6_addr (RFC 3542 section 6.2). The interface is left
//     open, so that routing decides.
func putSource(b []byte, source netip.Addr, ifindex uint32) []byte {
	if source.Is4() {
		data, rest := putControlHeader(b, unix.SOL_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
		a := source.As4()
		copy(data[4:], a[:])
		return rest
	}
	data, rest := putControlHeader(b, unix.SOL_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
	a := source.As16()
	copy(data, a[:])
	binary.NativeEndian.PutUint32(data[len(a):], ifindex)
	return rest
}

// putTOS writes the type of service (ip(7) IP_TOS, ipv6(7) IPV6_TCLASS) of a
// message, and returns what follows it.
func putTOS(b []byte, v6 bool, tos uint8) []byte {
	level, kind := int32(unix.SOL_IP), int32(unix.IP_TOS)
	if v6 {
		level, kind = unix.SOL_IPV6, unix.IPV6_TCLASS
	}
	data, rest := putControlHeader(b, level, kind, 4)
	binary.NativeEndian.PutUint32(data, uint32(tos))
	return rest
}

// putSegment writes UDP_SEGMENT: the message is a run of datagrams of segment
// bytes each, the last of which may be shorter (udp(7)).
func putSegment(b []byte, segment int) []byte {
	data, rest := putControlHeader(b, unix.SOL_UDP, unix.UDP_SEGMENT, 2)
	binary.NativeEndian.PutUint16(data, uint16(segment))
	return rest
}
