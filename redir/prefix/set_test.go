package prefix

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/gaissmai/bart"
)

// naive asks each prefix.
type naive []netip.Prefix

func (n naive) Contains(a netip.Addr) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(a) })
}

// corners are the addresses at which a set of these prefixes changes, those beside
// them, and the ends of both families.
func corners(prefixes []netip.Prefix) []netip.Addr {
	all := []netip.Addr{
		netip.IPv4Unspecified(), netip.AddrFrom4([4]byte{255, 255, 255, 255}),
		netip.IPv6Unspecified(), (addr6{^uint64(0), ^uint64(0)}).addr(),
	}
	for _, p := range prefixes {
		low := p.Masked().Addr()
		high := addr6Of(low).last(p.Bits()).addr()
		if low.Is4() {
			high = addr4Of(low).last(p.Bits()).addr()
		}
		for _, a := range []netip.Addr{low.Prev(), low, low.Next(), high.Prev(), high, high.Next()} {
			if a.IsValid() && a.Is4() == low.Is4() {
				all = append(all, a)
			}
		}
	}
	return all
}

// agree asserts that the set of these prefixes answers as they do, and that its
// ranges are sorted, apart, and make the same set again.
func agree(t *testing.T, prefixes []netip.Prefix, oracle lookups, asked []netip.Addr) {
	t.Helper()
	s := setOf(prefixes).(*Set)
	for _, a := range asked {
		if got, want := s.Contains(a), oracle.Contains(a); got != want {
			t.Fatalf("%s: %v, want %v, in %d prefixes", a, got, want, len(prefixes))
		}
	}
	var last netip.Addr
	n := 0
	again := Builder{}
	for low, high := range s.Ranges {
		if high.Less(low) || last.IsValid() && last.Is4() == low.Is4() && !last.Next().Less(low) {
			t.Fatalf("range %s-%s behind one up to %s", low, high, last)
		}
		last, n = high, n+1
		again.AddRange(low, high)
	}
	if n != s.Len() {
		t.Errorf("%d ranges, Len is %d", n, s.Len())
	}
	if other := again.Set(); !s.Covers(other) || !other.Covers(s) {
		t.Errorf("its own ranges make another set")
	}
}

func TestSet(t *testing.T) {
	for name, texts := range map[string][]string{
		"nothing":           {},
		"all IPv4":          {"0.0.0.0/0"},
		"all IPv6":          {"::/0"},
		"all":               {"::/0", "0.0.0.0/0"},
		"both halves":       {"0.0.0.0/1", "128.0.0.0/1", "8000::/1", "::/1"},
		"the last half":     {"128.0.0.0/1", "255.255.255.255/32", "255.0.0.0/8", "8000::/1", "ffff::/16"},
		"the last address":  {"255.255.255.255/32", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
		"the first address": {"0.0.0.0/32", "::/128"},
		"nested":            {"10.0.0.0/8", "10.1.0.0/16", "10.255.255.255/32", "2001:db8::/32", "2001:db8:ffff::/48"},
		"touching":          {"10.0.1.0/24", "10.0.0.0/24", "10.0.2.0/23", "2001:db8::/64", "2001:db8:0:1::/64"},
		"apart by one":      {"10.0.0.0/32", "10.0.0.2/32", "2001:db8::/128", "2001:db8::2/128"},
		"bits behind":       {"10.1.2.3/8", "2001:db8::1/32"},
		"across 64 bits":    {"2001:db8::ffff:ffff:ffff:ffff/128", "2001:db8:0:1::/128", "2001:db8:0:2::/63"},
		"within 64 bits":    {"2001:db8::1/128", "2001:db8::3/128", "2001:db8::8000:0:0:0/65", "2001:db8:0:5::/80"},
	} {
		t.Run(name, func(t *testing.T) {
			var prefixes naive
			for _, text := range texts {
				prefixes = append(prefixes, netip.MustParsePrefix(text))
			}
			agree(t, prefixes, prefixes, corners(prefixes))
		})
	}
}

// TestSetMany asserts that many prefixes answer as the library's table does,
// spread as those of the internet are, and crowded in all manners.
func TestSetMany(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, prefixes := range map[string][]netip.Prefix{
		"spread":         seeds(r, 20_000, 20_000),
		"hosts of a /64": crowd(r, 20_000, netip.MustParsePrefix("2001:db8:0:5::/64"), 128),
		"a /44":          crowd(r, 20_000, netip.MustParsePrefix("2001:db8:50::/44"), 64),
		"a /16":          crowd(r, 20_000, netip.MustParsePrefix("100.64.0.0/16"), 32),
		"and far away": append(crowd(r, 20_000, netip.MustParsePrefix("100.64.0.0/16"), 32),
			crowd(r, 20_000, netip.MustParsePrefix("0.0.0.0/0"), 32)...),
	} {
		t.Run(name, func(t *testing.T) {
			agree(t, prefixes, liteOf(prefixes), corners(prefixes))
		})
	}
}

// crowd is n prefixes of so many bits within another.
func crowd(r *rand.Rand, n int, within netip.Prefix, length int) []netip.Prefix {
	all := make([]netip.Prefix, 0, n)
	for range n {
		a := netip.Addr{}
		if low := within.Addr(); low.Is4() {
			a = (addr4Of(low) | addr4(r.Uint32())&^-(1<<(32-within.Bits()))).addr()
		} else {
			first, last := addr6Of(low), addr6Of(low).last(within.Bits())
			a = addr6{first.high | r.Uint64()&(first.high^last.high), first.low | r.Uint64()&(first.low^last.low)}.addr()
		}
		all = append(all, netip.PrefixFrom(a, length).Masked())
	}
	return all
}

func TestMappedPrefixesAreIPv4(t *testing.T) {
	var b Builder
	b.Add(netip.MustParsePrefix("::ffff:10.0.0.0/104"))
	b.AddAddr(netip.MustParseAddr("::ffff:192.0.2.1"))
	b.AddAddr(netip.MustParseAddr("fe80::1%eth0"))
	s := b.Set()
	for text, want := range map[string]bool{
		"10.1.2.3": true, "11.0.0.0": false, "192.0.2.1": true, "192.0.2.2": false,
		"fe80::1": true, "fe80::1%eth1": true, "fe80::2": false, "::": false,
	} {
		if got := s.Contains(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestEmpty(t *testing.T) {
	var b Builder
	for name, s := range map[string]*Set{"nil": nil, "zero": {}, "built": b.Set()} {
		for _, a := range corners(nil) {
			if s.Contains(a) {
				t.Errorf("%s: contains %s", name, a)
			}
		}
		s.Ranges(func(low, high netip.Addr) bool { t.Errorf("%s: %s-%s", name, low, high); return true })
		if s.Len() != 0 || !s.Covers(nil) || s.Covers(someSet("10.0.0.0/8")) || !someSet("10.0.0.0/8").Covers(s) {
			t.Errorf("%s: is not empty", name)
		}
	}
}

func someSet(texts ...string) *Set {
	var b Builder
	for _, text := range texts {
		b.Add(netip.MustParsePrefix(text))
	}
	return b.Set()
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		a, b []string
		want bool
	}{
		{[]string{"10.0.0.0/8"}, []string{"10.1.0.0/16", "10.255.255.255/32"}, true},
		{[]string{"10.0.0.0/8"}, []string{"10.1.0.0/16", "11.0.0.0/32"}, false},
		{[]string{"10.0.0.0/9", "10.128.0.0/9"}, []string{"10.0.0.0/8"}, true},
		{[]string{"10.0.0.0/9", "10.128.0.1/32"}, []string{"10.0.0.0/8"}, false},
		{[]string{"0.0.0.0/0"}, []string{"255.255.255.255/32", "0.0.0.0/32"}, true},
		{[]string{"0.0.0.0/0"}, []string{"::/128"}, false},
		{[]string{"2001:db8::/32"}, []string{"2001:db8::/64", "2001:db8:1::5/128"}, true},
		{[]string{"2001:db8::/64"}, []string{"2001:db8::/63"}, false},
		{[]string{"2001:db8::/65"}, []string{"2001:db8::8000:0:0:0/128"}, false},
		{[]string{"2001:db8::/65", "2001:db8:0:0:8000::/65"}, []string{"2001:db8::/64"}, true},
	} {
		if got := someSet(c.a...).Covers(someSet(c.b...)); got != c.want {
			t.Errorf("%s covers %s: %v", c.a, c.b, got)
		}
	}
}

func TestRangesEndEarly(t *testing.T) {
	n := 0
	for range someSet("10.0.0.0/8", "12.0.0.0/8", "2001:db8::/32").Ranges {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d ranges", n)
	}
}

func TestContainsDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	prefixes := append(seeds(r, 1000, 1000), crowd(r, 1000, netip.MustParsePrefix("2001:db8:0:5::/64"), 128)...)
	s, addrs := setOf(prefixes), corners(prefixes)
	if n := testing.AllocsPerRun(10, func() {
		for _, a := range addrs {
			s.Contains(a)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSet builds a set of any prefixes and compares it with them and with the
// library's table.
func FuzzSet(f *testing.F) {
	f.Add([]byte{8, 10, 0, 0, 0, 16, 10, 1, 0, 0}, []byte{32, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Add([]byte{0, 0, 0, 0, 0, 32, 255, 255, 255, 255}, []byte{128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, ipv4, ipv6 []byte) {
		var prefixes naive
		for ; len(ipv4) >= 5 && len(prefixes) < 50; ipv4 = ipv4[5:] {
			prefixes = append(prefixes, netip.PrefixFrom(addr4(binary.BigEndian.Uint32(ipv4[1:])).addr(), int(ipv4[0])%33).Masked())
		}
		for ; len(ipv6) >= 17 && len(prefixes) < 100; ipv6 = ipv6[17:] {
			a := netip.AddrFrom16([16]byte(ipv6[1:]))
			if p := netip.PrefixFrom(a, int(ipv6[0])%129).Masked(); !p.Addr().Is4In6() {
				prefixes = append(prefixes, p)
			}
		}
		agree(t, prefixes, prefixes, corners(prefixes))
		table := new(bart.Lite)
		for _, p := range prefixes {
			table.Insert(p)
		}
		agree(t, prefixes, table, corners(prefixes))
	})
}
