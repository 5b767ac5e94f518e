package prefix

import (
	"encoding/binary"
	"net/netip"
)

// addr4 is an IPv4 address as a number.
type addr4 uint32

func addr4Of(a netip.Addr) addr4 {
	b := a.As4()
	return addr4(binary.BigEndian.Uint32(b[:]))
}

func (a addr4) addr() netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(a))
	return netip.AddrFrom4(b)
}

// before is 1 where a lies before b, else 0, without a branch.
func (a addr4) before(b addr4) uint64 { return (uint64(a) - uint64(b)) >> 63 }

// next is the address after a, the first of all after the last.
func (a addr4) next() addr4 { return a + 1 }

// previous is the address before a, the last of all before the first.
func (a addr4) previous() addr4 { return a - 1 }

// last is the last address of the prefix of so many bits that begins with a.
func (a addr4) last(length int) addr4 { return a | ^addr4(0)>>length }
