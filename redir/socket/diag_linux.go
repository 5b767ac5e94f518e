package socket

import (
	"encoding/binary"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Diag asks the kernel about a socket by its addresses (sock_diag(7)). The
// answer is there when the question was sent, so nothing here blocks. It
// belongs to one goroutine at a time.
type Diag struct {
	fd     int
	buffer [1 << 10]byte
}

// OpenDiag opens the netlink socket.
func OpenDiag() (*Diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, os.NewSyscallError("socket NETLINK_SOCK_DIAG", err)
	}
	return &Diag{fd: fd}, nil
}

// Close may be called again.
func (d *Diag) Close() {
	if d.fd >= 0 {
		unix.Close(d.fd)
		d.fd = -1
	}
}

// Sizes and values of linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h.
const (
	headerSize     = unix.SizeofNlMsghdr
	requestSize    = 56 // struct inet_diag_req_v2
	answerSize     = 72 // struct inet_diag_msg
	sockDiagFamily = 20 // SOCK_DIAG_BY_FAMILY
	diagMark       = 15 // INET_DIAG_MARK, an attribute for those with CAP_NET_ADMIN
	anyState       = 0xffffffff
	noCookie       = 0xffffffff
)

// Mark returns the SO_MARK of the socket of a network (SOCK_STREAM or
// SOCK_DGRAM) that would receive what remote sends to local. ok is false where
// there is no such socket, or the kernel does not say.
func (d *Diag) Mark(network int, local, remote netip.AddrPort) (mark uint32, ok bool) {
	request := d.question(network, local, remote)
	if err := unix.Sendto(d.fd, request, unix.MSG_DONTWAIT, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, false
	}
	n, _, err := unix.Recvfrom(d.fd, d.buffer[:], unix.MSG_DONTWAIT)
	if err != nil {
		return 0, false
	}
	return parseDiagMark(d.buffer[:n])
}

// question writes the request into the buffer. The kernel's UDP lookup takes
// source and destination the other way round (udp_dump_one in
// net/ipv4/udp_diag.c).
func (d *Diag) question(network int, local, remote netip.AddrPort) []byte {
	b := d.buffer[:headerSize+requestSize]
	clear(b)
	order := binary.NativeEndian
	order.PutUint32(b, uint32(len(b)))
	order.PutUint16(b[4:], sockDiagFamily)
	order.PutUint16(b[6:], unix.NLM_F_REQUEST)
	r := b[headerSize:]
	r[0], r[1] = byte(Family(local.Addr())), unix.IPPROTO_TCP
	if network == unix.SOCK_DGRAM {
		r[1] = unix.IPPROTO_UDP
		local, remote = remote, local
	}
	order.PutUint32(r[4:], anyState)
	binary.BigEndian.PutUint16(r[8:], local.Port())
	binary.BigEndian.PutUint16(r[10:], remote.Port())
	copy(r[12:28], local.Addr().AsSlice())
	copy(r[28:44], remote.Addr().AsSlice())
	order.PutUint32(r[48:], noCookie)
	order.PutUint32(r[52:], noCookie)
	return b
}

// parseDiagMark finds the mark in an answer.
func parseDiagMark(b []byte) (mark uint32, ok bool) {
	order := binary.NativeEndian
	if len(b) < headerSize+answerSize || order.Uint16(b[4:]) != sockDiagFamily {
		return 0, false
	}
	for b = b[headerSize+answerSize:]; len(b) >= unix.SizeofNlAttr; {
		size, kind := int(order.Uint16(b)), order.Uint16(b[2:])
		if size < unix.SizeofNlAttr || size > len(b) {
			return 0, false
		}
		if kind == diagMark && size >= unix.SizeofNlAttr+4 {
			return order.Uint32(b[unix.SizeofNlAttr:]), true
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return 0, false
}
