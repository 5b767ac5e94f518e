//go:build linux

package dgram

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Receiver receives a batch at a time. What it returned is valid until the next
// Receive.
type Receiver struct {
	batch
	bufs [][]byte
}

// NewReceiver makes a receiver of n messages with room for size bytes each; 65,536
// where the socket takes runs.
func NewReceiver(n, size int) *Receiver {
	r := &Receiver{batch: makeBatch(n), bufs: make([][]byte, n)}
	for i := range r.bufs {
		r.bufs[i] = make([]byte, size)
		r.entries[i].iov.Base = &r.bufs[i][0]
		r.entries[i].iov.SetLen(size)
	}
	return r
}

// Receive takes what the socket holds, at most one batch, and returns the number
// of messages. An empty socket (and, when blocking, the timeout) gives 0 and no
// error. ICMP errors that wait on the socket are taken one at a time.
func (r *Receiver) Receive(s Socket) (int, error) {
	for i := range r.msgs {
		r.msgs[i].hdr.Namelen = unix.SizeofSockaddrInet6
		r.msgs[i].hdr.SetControllen(controlSize)
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(s.FD), uintptr(unsafe.Pointer(&r.msgs[0])),
		uintptr(len(r.msgs)), unix.MSG_WAITFORONE, 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EAGAIN, unix.EINTR:
		return 0, nil
	}
	return 0, errno
}

// Message is one received message. Data is valid until the next Receive.
type Message struct {
	Data      []byte
	Segment   int // size of each datagram in Data but the last; 0: Data is one
	From      netip.AddrPort
	To        netip.Addr // local address, where Config.ToAddress asked for it
	Truncated bool
}

// Message returns message i of the last batch.
func (r *Receiver) Message(i int) Message {
	h, e := &r.msgs[i].hdr, &r.entries[i]
	m := Message{Data: r.bufs[i][:r.msgs[i].len], Truncated: h.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0}
	m.From = e.addrPort()
	m.readControl(e.control[:h.Controllen])
	return m
}

// readControl walks the control messages (cmsg(3): 8-byte alignment on 64 bits).
func (m *Message) readControl(b []byte) {
	const head = unix.SizeofCmsghdr
	for len(b) >= head {
		c := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(c.Len)
		if size < head || size > len(b) {
			return
		}
		data := b[head:size]
		switch {
		case c.Level == unix.SOL_UDP && c.Type == unix.UDP_GRO && len(data) >= 4:
			m.Segment = int(binary.NativeEndian.Uint32(data))
		case c.Level == unix.SOL_IP && c.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			m.To = netip.AddrFrom4([4]byte(data[8:12])) // ipi_addr, the header's destination
		case c.Level == unix.SOL_IPV6 && c.Type == unix.IPV6_PKTINFO && len(data) >= 16:
			m.To = netip.AddrFrom16([16]byte(data))
		}
		b = b[min(unix.CmsgSpace(size-head), len(b)):]
	}
}
