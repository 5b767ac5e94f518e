package resolve

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// zone answers lookups, and counts them.
type zone struct {
	mu    sync.Mutex
	addrs []netip.Addr
	err   error
	asked int
}

func (z *zone) lookup(context.Context, string) ([]netip.Addr, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked++
	return z.addrs, z.err
}

// set changes the answer; without addresses it is an error.
func (z *zone) set(addrs ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.addrs, z.err = nil, nil
	for _, a := range addrs {
		z.addrs = append(z.addrs, netip.MustParseAddr(a))
	}
	if len(addrs) == 0 {
		z.err = errors.New("no such host")
	}
}

func (z *zone) count() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.asked
}

// news is what tell was called with.
type news struct {
	mu   sync.Mutex
	good int
	bad  int
}

func (n *news) tell(_ Target, _ []netip.AddrPort, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.bad++
	} else {
		n.good++
	}
}

var (
	web     = Target{"web.example", 80}
	client4 = netip.MustParseAddr("10.0.0.2")
	client6 = netip.MustParseAddr("fd00::2")
)

// assertList asserts in which order addresses are tried.
func assertList(t *testing.T, d *Dests, client netip.Addr, own bool, want ...string) {
	t.Helper()
	synctest.Wait()
	var got []string
	for _, a := range d.For(client, own) {
		got = append(got, a.Addr().String())
		if a.Port() != 80 {
			t.Errorf("%v: want port 80", a)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("addresses %v, want %v", got, want)
	}
}

// TestOrder asserts that a client which brings its own address tries its own
// family first, and others take the resolver's order.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var z zone
		var n news
		z.set("fd00::5", "10.0.0.5", "::ffff:10.0.0.6", "0.0.0.0")
		r := New(z.lookup, n.tell)
		defer r.Close()
		d := r.Dests(web)
		r.Await(time.Second)
		assertList(t, d, client4, false, "fd00::5", "10.0.0.5", "10.0.0.6")
		assertList(t, d, client4, true, "10.0.0.5", "10.0.0.6", "fd00::5")
		assertList(t, d, client6, true, "fd00::5", "10.0.0.5", "10.0.0.6")
		first := d.For(client4, true)[0]
		next, left, ok := d.After(first, client4, true)
		if !ok || left != 2 || next.Addr().String() != "10.0.0.6" {
			t.Errorf("after %v comes %v, one of %d (%v)", first, next, left, ok)
		}
		if _, _, ok := d.After(netip.MustParseAddrPort("[fd00::5]:80"), client4, true); ok {
			t.Error("something comes after the last")
		}
		if d != r.Dests(web) {
			t.Error("one name has two lists")
		}
	})
}

// TestUnresolved asserts that a name which cannot be resolved is asked for again
// and again, more and more seldom, and told of once.
func TestUnresolved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var z zone
		var n news
		z.set()
		r := New(z.lookup, n.tell)
		defer r.Close()
		d := r.Dests(web)
		r.Await(time.Second)
		assertList(t, d, client4, false)
		time.Sleep(time.Hour)
		if asked := z.count(); asked < 100 || asked > 130 || n.bad != 1 || n.good != 0 {
			t.Errorf("asked %d times in an hour, told %d times", asked, n.bad)
		}
		z.set("10.0.0.5")
		time.Sleep(retryMost)
		assertList(t, d, client4, false, "10.0.0.5")
		z.set()
		r.Refresh()
		synctest.Wait()
		assertList(t, d, client4, false, "10.0.0.5") // better than nothing
		if n.bad != 2 || n.good != 1 {
			t.Errorf("told of %d failures and %d answers", n.bad, n.good)
		}
	})
}

// TestFailed asserts that an address which failed comes last for a while, that
// failures lead to lookups, and not to one each.
func TestFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var z zone
		var n news
		z.set("10.0.0.5", "10.0.0.6")
		r := New(z.lookup, n.tell)
		defer r.Close()
		d := r.Dests(web)
		r.Await(time.Second)
		if !d.Several() {
			t.Error("two are not several")
		}
		for range 1000 {
			d.Failed(netip.MustParseAddrPort("10.0.0.5:80"))
		}
		assertList(t, d, client4, false, "10.0.0.6", "10.0.0.5")
		time.Sleep(leastPause)
		assertList(t, d, client4, false, "10.0.0.6", "10.0.0.5")
		if asked := z.count(); asked != 2 {
			t.Errorf("asked %d times, want 2", asked)
		}
		time.Sleep(2 * demotedFor)
		assertList(t, d, client4, false, "10.0.0.5", "10.0.0.6")
		z.set("10.0.0.7")
		d.Failed(netip.MustParseAddrPort("10.0.0.5:80"))
		time.Sleep(leastPause)
		assertList(t, d, client4, false, "10.0.0.7")
		before := z.count()
		time.Sleep(24 * time.Hour)
		if asked := z.count() - before; asked > 1 {
			t.Errorf("asked %d times without a reason", asked)
		}
		if n.good != 2 || n.bad != 0 {
			t.Errorf("told of %d answers and %d failures", n.good, n.bad)
		}
	})
}

// TestKeep asserts that names which nothing leads to are forgotten.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var z zone
		var n news
		z.set("10.0.0.5")
		r := New(z.lookup, n.tell)
		d, other := r.Dests(web), r.Dests(Target{"other.example", 80})
		r.Await(time.Second)
		r.Keep([]Target{web})
		z.set("10.0.0.6")
		r.Refresh()
		assertList(t, d, client4, false, "10.0.0.6")
		assertList(t, other, client4, false, "10.0.0.5")
		r.Close()
	})
}

// TestFixed asserts that an address is where it leads, at once and for good.
func TestFixed(t *testing.T) {
	t.Parallel()
	r := New(nil, nil)
	defer r.Close()
	d := r.Dests(Target{"10.0.0.5", 80})
	d.Failed(netip.MustParseAddrPort("10.0.0.5:80"))
	if got := d.For(client6, true); len(got) != 1 || got[0].String() != "10.0.0.5:80" || d.Several() {
		t.Errorf("%v", got)
	}
	var none *Dests
	none.Failed(netip.AddrPort{})
	if none.For(client4, false) != nil || none.Several() {
		t.Error("none has some")
	}
}
