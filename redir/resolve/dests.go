package resolve

import (
	"net/netip"
	"slices"
	"sync/atomic"
)

// Dests are the addresses of a target, as they are known now. Any goroutine may
// ask. A nil one has none.
type Dests struct {
	now    atomic.Pointer[list]
	failed chan netip.AddrPort // nil: nobody wants to know
}

// list is addresses in the order in which they are to be tried: as they come, and
// with either family first.
type list struct{ plain, ipv4First, ipv6First []netip.AddrPort }

// Fixed are addresses that never change.
func Fixed(addrs ...netip.AddrPort) *Dests {
	d := &Dests{}
	d.set(addrs)
	return d
}

func (d *Dests) set(addrs []netip.AddrPort) {
	l := &list{plain: addrs}
	for _, a := range addrs {
		if a.Addr().Is4() {
			l.ipv4First = append(l.ipv4First, a)
		} else {
			l.ipv6First = append(l.ipv6First, a)
		}
	}
	ipv4, ipv6 := l.ipv4First, l.ipv6First
	l.ipv4First, l.ipv6First = slices.Concat(ipv4, ipv6), slices.Concat(ipv6, ipv4)
	d.now.Store(l)
}

// For are the addresses in the order in which a client's connection tries them,
// none where the name is not resolved. With own, those come first that can be
// reached with the client's own address. The caller must not change them.
func (d *Dests) For(client netip.Addr, own bool) []netip.AddrPort {
	if d == nil {
		return nil
	}
	l := d.now.Load()
	switch {
	case l == nil:
		return nil
	case !own:
		return l.plain
	case client.Is4():
		return l.ipv4First
	}
	return l.ipv6First
}

// After is the address to be tried after at, which failed; false where that was
// the last, or is none of them any more.
func (d *Dests) After(at netip.AddrPort, client netip.Addr, own bool) (next netip.AddrPort, left int, ok bool) {
	all := d.For(client, own)
	i := slices.Index(all, at) + 1
	if i == 0 || i >= len(all) {
		return netip.AddrPort{}, 0, false
	}
	return all[i], len(all) - i, true
}

// Failed tells that an address did not answer. It never waits.
func (d *Dests) Failed(at netip.AddrPort) {
	if d == nil {
		return
	}
	select {
	case d.failed <- at:
	default: // it is known, or enough is
	}
}

// Several reports whether there is an address to turn to where one fails.
func (d *Dests) Several() bool {
	if d == nil {
		return false
	}
	l := d.now.Load()
	return l != nil && len(l.plain) > 1
}
