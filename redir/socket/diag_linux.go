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

// Found is what the kernel says of a socket.
type Found struct {
	Mark    uint32 // SO_MARK
	HasMark bool   // the mark is told to those with CAP_NET_ADMIN alone
	UID     uint32 // whose it is
	Cookie  uint64 // which it is: SO_COOKIE
}

// Find finds the socket of a network (SOCK_STREAM or SOCK_DGRAM) that would
// receive what remote sends to local. ok is false where there is no such socket,
// or the kernel does not say.
func (d *Diag) Find(network int, local, remote netip.AddrPort) (found Found, ok bool) {
	request := d.question(network, local, remote)
	if err := unix.Sendto(d.fd, request, unix.MSG_DONTWAIT, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return Found{}, false
	}
	n, _, err := unix.Recvfrom(d.fd, d.buffer[:], unix.MSG_DONTWAIT)
	if err != nil {
		return Found{}, false
	}
	return parseDiag(d.buffer[:n])
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

// parseDiag reads an answer: struct inet_diag_msg, and perhaps the mark.
func parseDiag(b []byte) (found Found, ok bool) {
	order := binary.NativeEndian
	if len(b) < headerSize+answerSize || order.Uint16(b[4:]) != sockDiagFamily {
		return Found{}, false
	}
	answer := b[headerSize:]
	found.Cookie = uint64(order.Uint32(answer[44:])) | uint64(order.Uint32(answer[48:]))<<32
	found.UID = order.Uint32(answer[64:])
	for b = b[headerSize+answerSize:]; len(b) >= unix.SizeofNlAttr; {
		size, kind := int(order.Uint16(b)), order.Uint16(b[2:])
		if size < unix.SizeofNlAttr || size > len(b) {
			return Found{}, false
		}
		if kind == diagMark && size >= unix.SizeofNlAttr+4 {
			found.Mark, found.HasMark = order.Uint32(b[unix.SizeofNlAttr:]), true
			break
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	return found, true
}
