package prefix

import (
	"math/rand/v2"
	"net/netip"
)

// seeds are prefixes as the tables of the internet have them: most IPv4 ones of
// 24 bits, most IPv6 ones of 32 to 48 bits below a few allocations.
func seeds(r *rand.Rand, ipv4, ipv6 int) []netip.Prefix {
	all := make([]netip.Prefix, 0, ipv4+ipv6)
	for range ipv4 {
		all = append(all, netip.PrefixFrom(randomIPv4(r), 24-max(0, r.IntN(32)-24)).Masked())
	}
	for range ipv6 {
		all = append(all, netip.PrefixFrom(randomIPv6(r), 32+4*r.IntN(5)).Masked())
	}
	return all
}

func randomIPv4(r *rand.Rand) netip.Addr {
	return addr4(1<<24 + r.Uint32N(223<<24)).addr()
}

func randomIPv6(r *rand.Rand) netip.Addr {
	allocations := [...]uint64{0x2001 << 48, 0x2400 << 48, 0x2600 << 48, 0x2800 << 48, 0x2a00 << 48, 0x2a0c << 48, 0x2c00 << 48}
	return addr6{allocations[r.IntN(len(allocations))] | r.Uint64()>>12, r.Uint64()}.addr()
}
