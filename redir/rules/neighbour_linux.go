package rules

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// neighbour is an IPv4 address that a packet which arrives by the interface
// may well come from, and one that the gateway has there. Neither is valid
// where that cannot be told. The kernel checks the source of what it is asked
// about as it checks a packet's: it must not be the gateway's own, and with
// rp_filter it must be routed back by the interface (fib_validate_source).
func neighbour(iface net.Interface) (own, other netip.Addr) {
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: iface.Index}}
	addrs, err := netlink.AddrList(link, unix.AF_INET)
	if err != nil {
		return own, other
	}
	for _, a := range addrs {
		prefix, ok := prefixFrom(a.IPNet)
		if !ok {
			continue
		}
		own = prefix.Addr()
		if peer, ok := prefixFrom(a.Peer); ok && peer.Addr() != own && peer.Bits() == peer.Addr().BitLen() {
			return own, peer.Addr()
		}
		if other = hostBeside(prefix); other.IsValid() {
			return own, other
		}
	}
	routes, err := readRoutes(unix.AF_INET, unix.RT_TABLE_MAIN, iface.Index)
	if err != nil {
		return own, other
	}
	for _, r := range routes {
		switch {
		case r.kind != unix.RTN_UNICAST:
		case !r.dst.IsValid():
			return own, netip.MustParseAddr("198.51.100.78")
		case r.dst.IsSingleIP():
			return own, r.dst.Addr()
		default:
			return own, hostBeside(r.dst)
		}
	}
	return own, netip.Addr{}
}

// hostBeside is a host's address of the network other than the prefix's own
// and the network's first, or none.
func hostBeside(prefix netip.Prefix) netip.Addr {
	first := prefix.Masked().Addr()
	candidate := first
	for range 3 {
		if candidate != prefix.Addr() && (candidate != first || prefix.Bits() == 31) && prefix.Contains(candidate) {
			return candidate
		}
		candidate = candidate.Next()
	}
	return netip.Addr{}
}

func prefixFrom(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones), ok
}
