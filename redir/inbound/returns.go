package inbound

import (
	"net/netip"
	"slices"
)

// Replies to clients whose address upstreams bear are handed to sockets with
// these addresses, of documentation (RFC 5737, RFC 3849), and the UDP port of the
// inbound. No packet can have them as its destination; the rules name them
// (redir/rules). They are others than those of senders (redir/udp).
var (
	Return4 = netip.AddrFrom4([4]byte{198, 51, 100, 1})
	Return6 = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 2})
)

// ReturnAddrs are the addresses of an inbound's sockets for replies, one for
// each family in which it listens.
func (s *Spec) ReturnAddrs() (addrs []netip.AddrPort) {
	for _, a := range s.Addrs() {
		addr := Return6
		if a.Addr().Is4() {
			addr = Return4
		}
		addrs = append(addrs, netip.AddrPortFrom(addr, a.Port()))
	}
	return addrs
}

// CollidesInReturns reports whether both inbounds would take replies at one
// address and port.
func (s *Spec) CollidesInReturns(other *Spec) bool {
	return slices.ContainsFunc(s.ReturnAddrs(), func(a netip.AddrPort) bool {
		return slices.Contains(other.ReturnAddrs(), a)
	})
}

// Returns reports whether an inbound takes UDP replies to clients.
func (d *Defaults) Returns(s *Spec) bool {
	path := d.PathOf(s)
	return s.UDP && (path.Source.OfClients() || d.Bears) && !d.KernelReplies
}
