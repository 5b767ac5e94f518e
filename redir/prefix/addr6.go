package prefix

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// addr6 is an IPv6 address as a number.
type addr6 struct{ high, low uint64 }

func addr6Of(a netip.Addr) addr6 {
	b := a.As16()
	return addr6{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

func (a addr6) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.high)
	binary.BigEndian.PutUint64(b[8:], a.low)
	return netip.AddrFrom16(b)
}

// before is 1 where a lies before b, else 0, without a branch.
func (a addr6) before(b addr6) uint64 {
	_, borrow := bits.Sub64(a.low, b.low, 0)
	_, borrow = bits.Sub64(a.high, b.high, borrow)
	return borrow
}

// next is the address after a, the first of all after the last.
func (a addr6) next() addr6 {
	low, carry := bits.Add64(a.low, 1, 0)
	return addr6{a.high + carry, low}
}

// previous is the address before a, the last of all before the first.
func (a addr6) previous() addr6 {
	low, borrow := bits.Sub64(a.low, 1, 0)
	return addr6{a.high - borrow, low}
}

// last is the last address of the prefix of so many bits that begins with a.
func (a addr6) last(length int) addr6 {
	if length <= 64 {
		return addr6{a.high | ^uint64(0)>>length, ^uint64(0)}
	}
	return addr6{a.high, a.low | ^uint64(0)>>(length-64)}
}
