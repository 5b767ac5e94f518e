package admit

import (
	"net/netip"
	"sync/atomic"

	"sluice/redir/count"
	"sluice/redir/inbound"
)

// Admission decides which destinations may be reached. Shared by all workers;
// decisions read an immutable set, which the watcher of addresses replaces.
type Admission struct {
	own        atomic.Pointer[ownAddrs]
	links      atomic.Pointer[links]
	listeners  atomic.Pointer[map[netip.AddrPort]struct{}] // specific listen addresses
	ports      atomic.Pointer[map[uint16]struct{}]         // ports of wildcard listeners
	marks      atomic.Pointer[[]uint32]                    // of upstream sockets
	allowLocal atomic.Bool
	bearing    atomic.Bool  // some upstream sockets bear clients' addresses
	highest    atomic.Int64 // descriptor that an upstream socket has had
}

// New returns an admission that knows of no own address and of no listener yet.
func New() *Admission {
	a := &Admission{}
	a.own.Store(&ownAddrs{})
	a.links.Store(&links{})
	a.SetListeners(nil)
	a.SetMarks(nil)
	return a
}

// SetAllowLocal permits or forbids the gateway's own addresses as destinations.
func (a *Admission) SetAllowLocal(allow bool) { a.allowLocal.Store(allow) }

// SetMarks tells which marks upstream sockets bear, none of which is 0.
func (a *Admission) SetMarks(marks []uint32) { a.marks.Store(&marks) }

// Opened notes a socket of an upstream, so that Self finds it again.
func (a *Admission) Opened(fd int) {
	for {
		highest := a.highest.Load()
		if int64(fd) <= highest || a.highest.CompareAndSwap(highest, int64(fd)) {
			return
		}
	}
}

// ownAddrs are the addresses that the kernel delivers locally.
type ownAddrs struct {
	local     map[netip.Addr]struct{}
	prefixes  []netip.Prefix // local routes wider than a host: 127.0.0.0/8, AnyIP
	broadcast map[netip.Addr]struct{}
}

func (o *ownAddrs) has(a netip.Addr) bool {
	if _, ok := o.local[a]; ok {
		return true
	}
	for _, p := range o.prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// IsOwn reports whether the kernel delivers addr locally.
func (a *Admission) IsOwn(addr netip.Addr) bool { return a.own.Load().has(addr) }

var limitedBroadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Check returns the reason to refuse dest, or 0 to admit it. dest is unmapped.
func (a *Admission) Check(dest netip.AddrPort) count.Counter {
	return a.check(dest, a.allowLocal.Load())
}

// CheckForward is Check for what an operator has named as a forward's destination:
// the gateway's own addresses are admitted, but for sluice's own listeners.
func (a *Admission) CheckForward(dest netip.AddrPort) count.Counter { return a.check(dest, true) }

// CheckListen is Check for what a client of a forward has sent to dest, a
// listener.
func (a *Admission) CheckListen(dest netip.AddrPort) count.Counter {
	cause := a.check(dest, true)
	if cause == count.RefusedListener {
		return 0
	}
	return cause
}

func (a *Admission) check(dest netip.AddrPort, allowLocal bool) count.Counter {
	addr := dest.Addr()
	switch {
	case dest.Port() == 0:
		return count.RefusedPortZero
	case addr.IsUnspecified():
		return count.RefusedUnspecified
	case addr.IsMulticast():
		return count.RefusedMulticast
	case addr == limitedBroadcast:
		return count.RefusedBroadcast
	}
	own := a.own.Load()
	if _, ok := own.broadcast[addr]; ok {
		return count.RefusedBroadcast
	}
	local := own.has(addr)
	if a.isListener(dest, local) {
		return count.RefusedListener
	}
	if local && !allowLocal {
		return count.RefusedOwnAddress
	}
	return 0
}

// isListener reports whether a connection to dest would come back to sluice.
func (a *Admission) isListener(dest netip.AddrPort, local bool) bool {
	if _, ok := (*a.listeners.Load())[dest]; ok {
		return true
	}
	_, ok := (*a.ports.Load())[dest.Port()]
	return ok && local
}

// SetListeners tells which addresses sluice itself listens on: for clients, and for
// others, at reserved ones.
func (a *Admission) SetListeners(inbounds []inbound.Spec, reserved ...netip.AddrPort) {
	exact := map[netip.AddrPort]struct{}{}
	ports := map[uint16]struct{}{}
	add := func(addr netip.AddrPort) { // unmapped, as destinations are
		if addr.Addr().IsUnspecified() {
			ports[addr.Port()] = struct{}{}
		} else {
			exact[addr] = struct{}{}
		}
	}
	for _, in := range inbounds {
		for _, addr := range in.Addrs() {
			add(addr)
		}
	}
	for _, addr := range reserved {
		add(netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()))
	}
	a.listeners.Store(&exact)
	a.ports.Store(&ports)
}
