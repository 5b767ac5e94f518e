//go:build linux

package dgram

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr (recvmmsg(2)).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// controlSize holds a pktinfo of either family and a segment size, in bytes.
const controlSize = 96

// entry is what one message of a batch needs beside its payload. The arrays are
// reached by pointers in mmsghdr, so an entry never moves once its batch is made.
type entry struct {
	name    unix.RawSockaddrInet6 // or a RawSockaddrInet4 at its front
	iov     unix.Iovec
	control [controlSize]byte
}

// batch is the part that receiving and sending share.
type batch struct {
	msgs    []mmsghdr
	entries []entry
}

func makeBatch(n int) batch {
	b := batch{msgs: make([]mmsghdr, n), entries: make([]entry, n)}
	for i := range b.msgs {
		e, h := &b.entries[i], &b.msgs[i].hdr
		h.Name = (*byte)(unsafe.Pointer(&e.name))
		h.Iov = &e.iov
		h.SetIovlen(1)
		h.Control = &e.control[0]
	}
	return b
}

// setName writes the address and returns its length in bytes.
func (e *entry) setName(a netip.AddrPort) uint32 {
	port := networkOrder(a.Port())
	if ip := a.Addr(); ip.Is4() {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(&e.name)) = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: port, Addr: ip.As4()}
		return unix.SizeofSockaddrInet4
	}
	e.name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: port, Addr: a.Addr().As16()}
	return unix.SizeofSockaddrInet6
}

func (e *entry) addrPort() netip.AddrPort {
	switch e.name.Family {
	case unix.AF_INET:
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&e.name))
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), networkOrder(sa.Port))
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(e.name.Addr), networkOrder(e.name.Port))
	}
	return netip.AddrPort{}
}

// networkOrder swaps a port between the machine's order and the network's.
func networkOrder(p uint16) uint16 {
	return binary.NativeEndian.Uint16([]byte{byte(p >> 8), byte(p)})
}
