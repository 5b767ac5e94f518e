package admit

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// readLinks asks the kernel which prefixes are on links whose hosts reach each
// other, in every routing table, and which parts of those are routed elsewhere.
func readLinks() (*links, error) {
	shared, err := sharedLinks()
	if err != nil {
		return nil, err
	}
	l := &links{}
	for _, pass := range []func(*netlink.Route, netip.Prefix){
		func(r *netlink.Route, p netip.Prefix) {
			if isOnLink(r) && shared[r.LinkIndex] {
				l.add(r.Table, p, r.LinkIndex)
			}
		},
		func(r *netlink.Route, p netip.Prefix) {
			if (!isOnLink(r) || !shared[r.LinkIndex]) && l.hold(r.Table, p) {
				l.add(r.Table, p, 0)
			}
		},
	} {
		if err := eachRoute(pass); err != nil {
			return nil, fmt.Errorf("list the routes to links: %w", err)
		}
	}
	return l, nil
}

// eachRoute shows f the routes to hosts of all tables but the local one.
func eachRoute(f func(*netlink.Route, netip.Prefix)) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		every := &netlink.Route{Table: unix.RT_TABLE_UNSPEC}
		err := netlink.RouteListFilteredIter(family, every, netlink.RT_FILTER_TABLE, func(r netlink.Route) bool {
			if p, ok := prefixOf(r.Dst); ok && r.Type == unix.RTN_UNICAST && r.Table != localTable {
				f(&r, p)
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// isOnLink reports whether a route leads to hosts without a router between.
// IPv6 routes have no scope that says so (fib6_nh_init in net/ipv6/route.c).
func isOnLink(r *netlink.Route) bool {
	return r.Gw == nil && r.Via == nil && len(r.MultiPath) == 0 && r.Type == unix.RTN_UNICAST && r.LinkIndex > 0
}

// sharedLinks are the interfaces on whose links hosts reach each other: not
// loopback, tunnels and PPP, where all goes by the two ends.
func sharedLinks() (map[int]bool, error) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	shared := make(map[int]bool, len(all))
	for _, link := range all {
		attrs := link.Attrs()
		shared[attrs.Index] = attrs.RawFlags&(unix.IFF_POINTOPOINT|unix.IFF_LOOPBACK|unix.IFF_NOARP) == 0
	}
	return shared, nil
}

// changes reports whether a route that came or went may change what readLinks
// would find. Most routes of a router that speaks BGP do not.
func (l *links) changes(r *netlink.Route) bool {
	p, ok := prefixOf(r.Dst)
	return ok && (isOnLink(r) || l.hold(r.Table, p))
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	ones, _ := n.Mask.Size()
	return netip.PrefixFrom(addr.Unmap(), ones), ok
}
