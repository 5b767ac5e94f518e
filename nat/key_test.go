package nat

import (
	"math/bits"
	"net/netip"
	"testing"
	"unsafe"
)

func TestKeyOf(t *testing.T) {
	cases := []struct {
		name        string
		a, b        string
		scopeA      uint32
		scopeB      uint32
		inA, inB    uint16
		same        bool
		clientOfOne string
	}{
		{"v4 is v4-mapped", "192.0.2.1:53", "[::ffff:192.0.2.1]:53", 0, 0, 1, 1, true, "192.0.2.1:53"},
		{"v4 is not v4-compatible", "192.0.2.1:53", "[::192.0.2.1]:53", 0, 0, 1, 1, false, "192.0.2.1:53"},
		{"zone is ignored", "[fe80::1%eth0]:9", "[fe80::1%7]:9", 3, 3, 1, 1, true, "[fe80::1]:9"},
		{"scope counts", "[fe80::1]:9", "[fe80::1]:9", 3, 4, 1, 1, false, "[fe80::1]:9"},
		{"port counts", "[2001:db8::1]:9", "[2001:db8::1]:10", 0, 0, 1, 1, false, "[2001:db8::1]:9"},
		{"inbound counts", "[2001:db8::1]:9", "[2001:db8::1]:9", 0, 0, 1, 2, false, "[2001:db8::1]:9"},
		{"address counts, high half", "[2001:db8::1]:9", "[2001:db9::1]:9", 0, 0, 1, 1, false, "[2001:db8::1]:9"},
		{"address counts, low half", "[2001:db8::1]:9", "[2001:db8::2]:9", 0, 0, 1, 1, false, "[2001:db8::1]:9"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := KeyOf(netip.MustParseAddrPort(c.a), c.scopeA, c.inA)
			b := KeyOf(netip.MustParseAddrPort(c.b), c.scopeB, c.inB)
			if (a == b) != c.same {
				t.Errorf("%v == %v is %v", a, b, !c.same)
			}
			if got := a.Client().String(); got != c.clientOfOne {
				t.Errorf("client is %s, want %s", got, c.clientOfOne)
			}
			if a.Scope() != c.scopeA || a.Inbound() != c.inA {
				t.Errorf("scope %d inbound %d, want %d and %d", a.Scope(), a.Inbound(), c.scopeA, c.inA)
			}
		})
	}
}

// The comments promise these; memory per session and false sharing hang on them.
func TestSizes(t *testing.T) {
	if bits.UintSize != 64 {
		return // pointers are shorter, and so is everything
	}
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"Key", unsafe.Sizeof(Key{}), 24},
		{"Entry with a pointer", unsafe.Sizeof(Entry[*int]{}), cacheLine},
		{"bucket", unsafe.Sizeof(bucket[*int]{}), cacheLine},
		{"item", unsafe.Sizeof(item[*int]{}), cacheLine / arity},
		{"shard", unsafe.Sizeof(shard[*int]{}), 2 * cacheLine},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d bytes, want %d", c.name, c.got, c.want)
		}
	}
}
