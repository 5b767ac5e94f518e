package nat

import (
	"encoding/binary"
	"net/netip"
)

// Key names one client as one inbound sees it: 24 bytes, comparable, no
// pointers. Two clients on links of their own may share a link-local address,
// so the interface's index is part of it.
type Key struct {
	hi, lo  uint64 // the address, 16 bytes big-endian, IPv4 as ::ffff:a.b.c.d
	scope   uint32 // interface index of a link-local client, else 0
	port    uint16 // host byte order
	inbound uint16
}

// KeyOf returns the key of a client. An IPv4 address and its IPv4-mapped IPv6
// form give the same key. The address's zone is ignored: scope stands for it.
func KeyOf(client netip.AddrPort, scope uint32, inbound uint16) Key {
	a := client.Addr().As16()
	return Key{
		hi:      binary.BigEndian.Uint64(a[:8]),
		lo:      binary.BigEndian.Uint64(a[8:]),
		scope:   scope,
		port:    client.Port(),
		inbound: inbound,
	}
}

// Client returns the client's address, IPv4 unmapped and IPv6 without a zone,
// and its port.
func (k Key) Client() netip.AddrPort {
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], k.hi)
	binary.BigEndian.PutUint64(a[8:], k.lo)
	return netip.AddrPortFrom(netip.AddrFrom16(a).Unmap(), k.port)
}

// Scope returns the interface index that the key was made with.
func (k Key) Scope() uint32 { return k.scope }

// Inbound returns the inbound that the key was made with.
func (k Key) Inbound() uint16 { return k.inbound }

// sameAddress reports whether two keys are of clients at one address.
func (k Key) sameAddress(other Key) bool { return k.hi == other.hi && k.lo == other.lo }
