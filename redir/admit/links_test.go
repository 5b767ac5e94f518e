package admit

import (
	"net/netip"
	"testing"
)

// testLinks are those of a gateway with two LANs, an uplink whose prefix holds a
// network that is elsewhere, and a VRF.
func testLinks() *links {
	l := &links{}
	for _, r := range []struct {
		table  int
		prefix string
		iface  int
	}{
		{254, "10.0.0.0/24", 1}, {254, "fd00::/64", 1},
		{254, "10.1.0.0/16", 2}, {254, "10.1.9.0/24", 0}, {254, "10.1.9.7/32", 0},
		{254, "fd01::/48", 2}, {254, "fd01:0:0:9::/64", 0},
		{100, "10.8.0.0/16", 3},
	} {
		l.add(r.table, netip.MustParsePrefix(r.prefix), r.iface)
	}
	return l
}

// TestMayBear asserts who may bear a client's address towards whom.
func TestMayBear(t *testing.T) {
	a := testAdmission(false)
	a.links.Store(testLinks())
	for _, c := range []struct {
		client, dest string
		may          bool
	}{
		{"10.0.0.9", "203.0.113.7", true},
		{"fd00::9", "2001:db8::7", true},
		{"10.0.0.9", "10.1.0.9", true}, // from one LAN to another
		{"fd00::9", "fd01::9", true},
		{"10.0.0.9", "10.0.0.10", false},
		{"fd00::9", "fd00::10", false},
		{"10.1.2.3", "10.1.3.2", false},
		{"10.1.2.3", "10.1.9.7", true}, // within the link's prefix, routed elsewhere
		{"10.1.9.7", "10.1.2.3", true},
		{"10.1.9.7", "10.1.9.8", true}, // both behind one router, which is no link of ours
		{"fd01::9", "fd01:0:0:9::1", true},
		{"10.8.1.1", "10.8.2.2", false}, // on a link of another table
		{"10.0.0.9", "10.0.0.1", true},  // the gateway itself, which is no neighbour that answers past us
		{"10.0.0.1", "203.0.113.7", false},
		{"fd00::1", "2001:db8::7", false},
		{"127.0.0.1", "127.0.0.1", false},
		{"10.0.0.9", "2001:db8::7", false},
		{"169.254.1.1", "203.0.113.7", false},
		{"fe80::1", "2001:db8::7", false},
	} {
		if may := a.MayBear(netip.MustParseAddr(c.client), netip.MustParseAddr(c.dest)); may != c.may {
			t.Errorf("%s to %s: %v", c.client, c.dest, may)
		}
	}
}

func TestMayBearDoesNotAllocate(t *testing.T) {
	a := testAdmission(false)
	a.links.Store(testLinks())
	client, dest := netip.MustParseAddr("fd00::9"), netip.MustParseAddr("fd00::10")
	if n := testing.AllocsPerRun(100, func() { a.MayBear(client, dest) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMayBear(b *testing.B) {
	a := testAdmission(false)
	a.links.Store(testLinks())
	for _, way := range [][2]string{{"10.0.0.9", "203.0.113.7"}, {"fd00::9", "2001:db8::7"}} {
		client, dest := netip.MustParseAddr(way[0]), netip.MustParseAddr(way[1])
		b.Run(way[0], func(b *testing.B) {
			for b.Loop() {
				a.MayBear(client, dest)
			}
		})
	}
}
