//go:build linux

package dgram

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sender collects messages and sends them in one call. It copies no payload: what
// Add was given must stay as it is until Send returns.
type Sender struct {
	batch
	n int
}

// NewSender makes a sender of at most n messages at once.
func NewSender(n int) *Sender { return &Sender{batch: makeBatch(n)} }

// Full tells that Send must come before the next Add.
func (b *Sender) Full() bool { return b.n == len(b.msgs) }

// Add puts one message into the batch: data to an address, as datagrams of segment
// bytes where segment is not 0, from a local address where it is valid.
func (b *Sender) Add(data []byte, segment int, to netip.AddrPort, from netip.Addr) {
	e, h := &b.entries[b.n], &b.msgs[b.n].hdr
	h.Namelen = e.setName(to)
	e.iov.Base = unsafe.SliceData(data)
	e.iov.SetLen(len(data))
	control := e.control[:0]
	if segment > 0 && segment < len(data) {
		control = appendControl(control, unix.SOL_UDP, unix.UDP_SEGMENT, 2)
		binary.NativeEndian.PutUint16(control[unix.CmsgLen(0):], uint16(segment))
	}
	switch at := len(control); {
	case from.Is4():
		control = appendControl(control, unix.SOL_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
		ip := from.As4()
		copy(control[at+unix.CmsgLen(0)+4:], ip[:]) // ipi_spec_dst
	case from.Is6():
		control = appendControl(control, unix.SOL_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
		ip := from.As16()
		copy(control[at+unix.CmsgLen(0):], ip[:])
	}
	h.SetControllen(len(control))
	b.n++
}

// appendControl adds an empty control message of n bytes.
func appendControl(b []byte, level, kind int32, n int) []byte {
	at := len(b)
	b = b[:at+unix.CmsgSpace(n)]
	clear(b[at:])
	c := (*unix.Cmsghdr)(unsafe.Pointer(&b[at]))
	c.Level, c.Type = level, kind
	c.SetLen(unix.CmsgLen(n))
	return b
}

// ErrSegment tells that the kernel or the path refused a run; single datagrams may
// still go.
var ErrSegment = errors.New("runs of datagrams are refused")

// Send sends what was added and empties the batch. It returns how many messages
// went. A message that fails ends the call and is dropped with those behind it:
// EAGAIN gives no error (the socket is full), a refused run gives ErrSegment.
func (b *Sender) Send(s Socket) (sent int, err error) {
	defer func() { b.n = 0 }()
	for sent < b.n {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.FD), uintptr(unsafe.Pointer(&b.msgs[sent])),
			uintptr(b.n-sent), 0, 0, 0)
		switch errno {
		case 0:
			sent += int(n)
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			return sent, nil
		case unix.EINVAL, unix.EMSGSIZE, unix.EIO:
			if b.msgs[sent].hdr.Controllen > 0 {
				return sent, errors.Join(ErrSegment, errno)
			}
			return sent, errno
		default:
			return sent, errno
		}
	}
	return sent, nil
}
