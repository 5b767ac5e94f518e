package admit

import (
	"encoding/binary"
	"net/netip"
)

// key is an address of 128 bits (IPv4 mapped), or its first bits.
type key struct {
	hi, lo uint64
	bits   uint8
}

// mapped is what the lower half of an IPv4 address begins with.
const mapped = 0xffff << 32

func (k key) isIPv4() bool { return k.hi == 0 && k.lo>>32<<32 == mapped }

func (k key) addr() netip.Addr {
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], k.hi)
	binary.BigEndian.PutUint64(a[8:], k.lo)
	return netip.AddrFrom16(a).Unmap()
}

// prefix is what the key stands for: an address, or the network of its bits.
func (k key) prefix() netip.Prefix {
	a := k.addr()
	return netip.PrefixFrom(a, min(int(k.bits), a.BitLen()))
}

func keyOf(addr netip.Addr) key {
	a := addr.As16()
	return key{binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:]), 128}
}

// network is the key of the first bits of k.
func (k key) network(bits int) key {
	if bits <= 64 {
		return key{k.hi &^ (1<<(64-bits) - 1), 0, uint8(bits)}
	}
	return key{k.hi, k.lo &^ (1<<(128-bits) - 1), uint8(bits)}
}
