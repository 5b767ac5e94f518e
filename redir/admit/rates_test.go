package admit

import (
	"net/netip"
	"sync"
	"testing"
	"time"
	"unsafe"

	"sluice/redir/shape"
)

const (
	shared = uint16(3) // an inbound that has no rate of its own
	owner  = uint16(7) // one that does
)

// rated returns clients that are bound by rates.
func rated() *Clients {
	c := NewClients()
	c.Set(&Bounds{Prefix: 64, Exempt: []netip.Prefix{netip.MustParsePrefix("10.0.9.0/24"), netip.MustParsePrefix("fd00::99/128")}})
	c.SetRates(&Rates{All: shape.Limit{Up: 10_000, Down: 20_000}, Of: map[uint16]shape.Limit{owner: {Up: shape.Off, Down: 5_000}}})
	return c
}

func open(t *testing.T, c *Clients, addr string) *Client {
	t.Helper()
	of, refusal := c.Open(netip.MustParseAddr(addr))
	if of == nil {
		t.Fatal(refusal)
	}
	return of
}

func TestWhoSharesAShaper(t *testing.T) {
	c := rated()
	a, b := open(t, c, "10.0.0.1"), open(t, c, "10.0.0.2")
	x, y, z := open(t, c, "fd00::1"), open(t, c, "fd00::2"), open(t, c, "fd00:0:0:1::1")
	for _, s := range []struct {
		what  string
		same  bool
		a, b  *shape.Shaper
		limit shape.Limit
	}{
		{"one address, two inbounds without a rate", true, a.Shaper(shared), a.Shaper(shared + 1), shape.Limit{Up: 10_000, Down: 20_000}},
		{"one address, an inbound with a rate", false, a.Shaper(owner), a.Shaper(shared), shape.Limit{Up: shape.Off, Down: 5_000}},
		{"two IPv4 addresses", false, a.Shaper(shared), b.Shaper(shared), shape.Limit{Up: 10_000, Down: 20_000}},
		{"one IPv6 network", true, x.Shaper(shared), y.Shaper(shared), shape.Limit{Up: 10_000, Down: 20_000}},
		{"one IPv6 network, an inbound with a rate", true, x.Shaper(owner), y.Shaper(owner), shape.Limit{Up: shape.Off, Down: 5_000}},
		{"two IPv6 networks", false, x.Shaper(shared), z.Shaper(shared), shape.Limit{Up: 10_000, Down: 20_000}},
	} {
		if s.a == nil || (s.a == s.b) != s.same || s.a.Limit() != s.limit {
			t.Errorf("%s: %p and %p, limit %v", s.what, s.a, s.b, s.a.Limit())
		}
	}
	for _, addr := range []string{"10.0.9.1", "fd00::99"} {
		if open(t, c, addr).Shaper(shared) != nil {
			t.Errorf("%s is exempt, and shaped", addr)
		}
	}
}

func TestRatesChange(t *testing.T) {
	c := rated()
	a, x := open(t, c, "10.0.0.1"), open(t, c, "fd00::1")
	of, own, net := a.Shaper(shared), a.Shaper(owner), x.Shaper(shared)
	c.Set(&Bounds{Prefix: 64})
	if a.Shaper(shared) != of || a.Shaper(owner) != own || x.Shaper(shared) != net {
		t.Error("a reload that changes no rate changes shapers")
	}
	c.SetRates(&Rates{All: shape.Limit{Up: 10_000, Down: 20_000}})
	if a.Shaper(shared) != of || a.Shaper(owner) != of {
		t.Error("an inbound that has no rate any more has no part of that for all")
	}
	c.SetRates(&Rates{All: shape.Limit{Up: 1_000, Down: shape.Off}})
	if l := a.Shaper(owner).Limit(); l.Up != 1_000 || a.Shaper(shared) != a.Shaper(owner) {
		t.Errorf("a lower rate is %v", l)
	}
	c.SetRates(&Rates{})
	if a.Shaper(shared) != nil || open(t, c, "10.0.0.7").Shaper(shared) != nil {
		t.Error("no rate, and clients are shaped")
	}
	c.SetRates(&Rates{All: shape.Limit{Up: 1_000}})
	y := open(t, c, "fd00:0:0:1::1")
	if x.Shaper(shared) == y.Shaper(shared) || x.Shaper(shared) == nil {
		t.Error("two networks share a shaper")
	}
	c.Set(&Bounds{Prefix: 48})
	if x.Shaper(shared) != y.Shaper(shared) {
		t.Error("one network, by a shorter prefix, and two shapers")
	}
}

// TestShapersAreRemembered asserts that who comes back at once has no fresh burst, and
// that nothing is kept of who has paid.
func TestShapersAreRemembered(t *testing.T) {
	for _, addr := range []string{"10.0.0.1", "fd00::1"} {
		c, now := rated(), int64(time.Hour)
		a := open(t, c, addr)
		was := a.Shaper(shared)
		was.Up.Pass(60_000, 60_000, now)
		a.End()
		c.Sweep(now + int64(time.Second))
		if c.Len() != 0 {
			t.Errorf("%d clients are known, and none is there", c.Len())
		}
		again := open(t, c, addr)
		if again.Shaper(shared) != was {
			t.Error("a client that comes back has another shaper")
		}
		again.End()
		c.Sweep(now + int64(time.Minute))
		if open(t, c, addr).Shaper(shared) == was {
			t.Error("what is paid for is remembered")
		}
	}
}

// TestShapersTogether has shapers asked for while rates change and clients come and go.
func TestShapersTogether(t *testing.T) {
	c := rated()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 2)})
			for n := range int64(2000) {
				a, _ := c.Connect(addr, n, Pace{})
				b, _ := c.Open(addr)
				if s := a.Shaper(shared); s != nil {
					s.Up.Take(n)
				}
				a.Disconnect(true)
				b.End()
				b.Shaper(shared)
			}
		})
	}
	for n := range int64(500) {
		c.SetRates(&Rates{All: shape.Limit{Up: 1000 * (n % 3)}})
		c.Sweep(n)
	}
	all.Wait()
	c.Sweep(int64(time.Hour))
	c.Sweep(1000 * int64(time.Hour))
	for i := range c.shards {
		if n := len(c.shards[i].shapers); n > 0 {
			t.Errorf("%d shapers of nobody are kept", n)
		}
	}
}

func TestClientsAreSmall(t *testing.T) {
	if size := unsafe.Sizeof(Client{}); unsafe.Sizeof(uintptr(0)) == 8 && size > 80 {
		t.Errorf("a client has %d bytes", size)
	}
}

// BenchmarkShaper is what each message of a client pays to find its shaper.
func BenchmarkShaper(b *testing.B) {
	a, _ := rated().Open(netip.MustParseAddr("10.0.0.1"))
	for b.Loop() {
		if a.Shaper(shared) == nil {
			b.Fatal("none")
		}
	}
}
