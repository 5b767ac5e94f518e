package admit

import (
	"net/netip"
	"testing"

	"sluice/redir/count"
	"sluice/redir/inbound"
)

func testAdmission(allowLocal bool) *Admission {
	a := &Admission{}
	addr := netip.MustParseAddr
	a.own.Store(&ownAddrs{
		local: map[netip.Addr]struct{}{addr("10.0.0.1"): {}, addr("fd00::1"): {}, addr("::1"): {}},
		prefixes: []netip.Prefix{
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("198.51.100.0/24"),
		},
		broadcast: map[netip.Addr]struct{}{addr("10.0.0.255"): {}},
	})
	a.allowLocal.Store(allowLocal)
	a.SetListeners([]inbound.Spec{
		{Listen: netip.AddrPortFrom(netip.Addr{}, 12345)},
		{Listen: netip.MustParseAddrPort("10.0.0.1:12346")},
		{Listen: netip.MustParseAddrPort("[::]:12347")},
		{Listen: netip.MustParseAddrPort("[::ffff:10.0.0.1]:12348")},
		{Listen: netip.MustParseAddrPort("[::ffff:0.0.0.0]:12349")},
	}, netip.MustParseAddrPort("127.0.0.1:9090"), netip.MustParseAddrPort("[::]:9091"))
	return a
}

func TestAdmission(t *testing.T) {
	for _, c := range []struct {
		dest         string
		strict, open count.Counter // without and with AllowLocal
	}{
		{"203.0.113.7:443", 0, 0},
		{"[2001:db8::7]:443", 0, 0},
		{"203.0.113.7:12345", 0, 0}, // somebody else's port 12345
		{"10.0.0.1:80", count.RefusedOwnAddress, 0},
		{"[fd00::1]:80", count.RefusedOwnAddress, 0},
		{"127.9.9.9:80", count.RefusedOwnAddress, 0},
		{"198.51.100.77:80", count.RefusedOwnAddress, 0},
		{"[::1]:80", count.RefusedOwnAddress, 0},
		{"10.0.0.1:12345", count.RefusedListener, count.RefusedListener},
		{"127.0.0.1:12345", count.RefusedListener, count.RefusedListener},
		{"198.51.100.77:12345", count.RefusedListener, count.RefusedListener}, // AnyIP reaches the wildcard listener too
		{"10.0.0.1:12346", count.RefusedListener, count.RefusedListener},
		{"[fd00::1]:12347", count.RefusedListener, count.RefusedListener},
		{"10.0.0.1:12348", count.RefusedListener, count.RefusedListener},
		{"10.0.0.1:12349", count.RefusedListener, count.RefusedListener},
		{"127.0.0.1:9090", count.RefusedListener, count.RefusedListener},
		{"127.0.0.2:9090", count.RefusedOwnAddress, 0},
		{"10.0.0.1:9091", count.RefusedListener, count.RefusedListener},
		{"203.0.113.7:9091", 0, 0},
		{"203.0.113.7:0", count.RefusedPortZero, count.RefusedPortZero},
		{"0.0.0.0:80", count.RefusedUnspecified, count.RefusedUnspecified},
		{"[::]:80", count.RefusedUnspecified, count.RefusedUnspecified},
		{"224.0.0.251:5353", count.RefusedMulticast, count.RefusedMulticast},
		{"[ff02::fb]:5353", count.RefusedMulticast, count.RefusedMulticast},
		{"255.255.255.255:67", count.RefusedBroadcast, count.RefusedBroadcast},
		{"10.0.0.255:67", count.RefusedBroadcast, count.RefusedBroadcast},
	} {
		dest := netip.MustParseAddrPort(c.dest)
		if got := testAdmission(false).Check(dest); got != c.strict {
			t.Errorf("%s: %q, want %q", c.dest, got, c.strict)
		}
		if got := testAdmission(true).Check(dest); got != c.open {
			t.Errorf("%s with AllowLocal: %q, want %q", c.dest, got, c.open)
		}
		if got := testAdmission(false).CheckForward(dest); got != c.open {
			t.Errorf("%s of a forward: %q, want %q", c.dest, got, c.open)
		}
		listen := c.open
		if listen == count.RefusedListener {
			listen = 0
		}
		if got := testAdmission(false).CheckListen(dest); got != listen {
			t.Errorf("%s as a forward: %q, want %q", c.dest, got, listen)
		}
	}
}

func TestAdmissionDoesNotAllocate(t *testing.T) {
	a, dest := testAdmission(false), netip.MustParseAddrPort("[2001:db8::7]:443")
	if n := testing.AllocsPerRun(100, func() { a.Check(dest) }); n != 0 {
		t.Errorf("%v allocations per check", n)
	}
}
