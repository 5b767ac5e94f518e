package prefix

import "net/netip"

// Builder gathers the prefixes of a Set. The zero value is ready. One goroutine
// owns it.
type Builder struct {
	ipv4 []span[addr4]
	ipv6 []span[addr6]
}

// mapped is the length of the prefix that IPv4-mapped addresses have (RFC 4291
// section 2.5.5.2).
const mapped = 96

// Add takes the addresses of a valid prefix; bits behind its length count for
// nothing. A prefix of IPv4-mapped addresses is one of IPv4.
func (b *Builder) Add(p netip.Prefix) {
	addr, length := p.Masked().Addr(), p.Bits()
	switch {
	case addr.Is4In6() && length >= mapped:
		addr, length = addr.Unmap(), length-mapped
		fallthrough
	case addr.Is4():
		low := addr4Of(addr)
		b.ipv4 = append(b.ipv4, span[addr4]{low, low.last(length)})
	default:
		low := addr6Of(addr)
		b.ipv6 = append(b.ipv6, span[addr6]{low, low.last(length)})
	}
}

// AddAddr takes one address, without its zone.
func (b *Builder) AddAddr(a netip.Addr) {
	b.Add(netip.PrefixFrom(a.WithZone(""), a.BitLen()))
}

// AddRange takes the addresses from low to high, both of one family and unmapped.
func (b *Builder) AddRange(low, high netip.Addr) {
	if low.Is4() {
		b.ipv4 = append(b.ipv4, span[addr4]{addr4Of(low), addr4Of(high)})
		return
	}
	b.ipv6 = append(b.ipv6, span[addr6]{addr6Of(low), addr6Of(high)})
}

// Set is what was added. The Builder is empty afterwards.
func (b *Builder) Set() *Set {
	s := &Set{newIndex(edgesOf(b.ipv4)), newEdges6(edgesOf(b.ipv6))}
	*b = Builder{}
	return s
}
