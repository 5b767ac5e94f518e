package redir

import (
	"net/netip"
	"testing"
)

func testAdmission(allowLocal bool) *admission {
	a := &admission{}
	addr := netip.MustParseAddr
	a.own.Store(&ownAddrs{
		local: map[netip.Addr]struct{}{addr("10.0.0.1"): {}, addr("fd00::1"): {}, addr("::1"): {}},
		prefixes: []netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("198.51.100.0/24"),
		},
		broadcast: map[netip.Addr]struct{}{addr("10.0.0.255"): {}},
	})
	a.allowLocal.Store(allowLocal)
	a.setListeners([]Inbound{
		{Listen: netip.AddrPortFrom(netip.Addr{}, 12345)},
		{Listen: netip.MustParseAddrPort("10.0.0.1:12346")},
		{Listen: netip.MustParseAddrPort("[::]:12347")},
		{Listen: netip.MustParseAddrPort("[::ffff:10.0.0.1]:12348")},
		{Listen: netip.MustParseAddrPort("[::ffff:0.0.0.0]:12349")},
	})
	return a
}

func TestAdmission(t *testing.T) {
	for _, c := range []struct {
		dest         string
		strict, open Counter // without and with AllowLocal
	}{
		{"203.0.113.7:443", 0, 0},
		{"[2001:db8::7]:443", 0, 0},
		{"203.0.113.7:12345", 0, 0}, // somebody else's port 12345
		{"10.0.0.1:80", RefusedOwnAddress, 0},
		{"[fd00::1]:80", RefusedOwnAddress, 0},
		{"127.9.9.9:80", RefusedOwnAddress, 0},
		{"198.51.100.77:80", RefusedOwnAddress, 0},
		{"[::1]:80", RefusedOwnAddress, 0},
		{"10.0.0.1:12345", RefusedListener, RefusedListener},
		{"127.0.0.1:12345", RefusedListener, RefusedListener},
		{"198.51.100.77:12345", RefusedListener, RefusedListener}, // AnyIP reaches the wildcard listener too
		{"10.0.0.1:12346", RefusedListener, RefusedListener},
		{"[fd00::1]:12347", RefusedListener, RefusedListener},
		{"10.0.0.1:12348", RefusedListener, RefusedListener},
		{"10.0.0.1:12349", RefusedListener, RefusedListener},
		{"203.0.113.7:0", RefusedPortZero, RefusedPortZero},
		{"0.0.0.0:80", RefusedUnspecified, RefusedUnspecified},
		{"[::]:80", RefusedUnspecified, RefusedUnspecified},
		{"224.0.0.251:5353", RefusedMulticast, RefusedMulticast},
		{"[ff02::fb]:5353", RefusedMulticast, RefusedMulticast},
		{"255.255.255.255:67", RefusedBroadcast, RefusedBroadcast},
		{"10.0.0.255:67", RefusedBroadcast, RefusedBroadcast},
	} {
		dest := netip.MustParseAddrPort(c.dest)
		if got := testAdmission(false).check(dest); got != c.strict {
			t.Errorf("%s: %q, want %q", c.dest, got, c.strict)
		}
		if got := testAdmission(true).check(dest); got != c.open {
			t.Errorf("%s with AllowLocal: %q, want %q", c.dest, got, c.open)
		}
	}
}

func TestAdmissionDoesNotAllocate(t *testing.T) {
	a, dest := testAdmission(false), netip.MustParseAddrPort("[2001:db8::7]:443")
	if n := testing.AllocsPerRun(100, func() { a.check(dest) }); n != 0 {
		t.Errorf("%v allocations per check", n)
	}
}
