package admit

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// localTable is the routing table in which the kernel keeps what it delivers
// locally (ip-route(8), table 255). It also has local routes that the operator
// made (AnyIP), which a list of interface addresses would not show.
const localTable = unix.RT_TABLE_LOCAL

// readOwnAddrs asks the kernel which addresses it delivers locally.
func readOwnAddrs() (*ownAddrs, error) {
	own := &ownAddrs{local: map[netip.Addr]struct{}{}, broadcast: map[netip.Addr]struct{}{}}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := netlink.RouteListFiltered(family, &netlink.Route{Table: localTable}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return nil, fmt.Errorf("list the local routing table: %w", err)
		}
		for i := range routes {
			own.add(&routes[i])
		}
	}
	return own, nil
}

func (o *ownAddrs) add(route *netlink.Route) {
	if route.Dst == nil {
		return
	}
	addr, ok := netip.AddrFromSlice(route.Dst.IP)
	if !ok {
		return
	}
	addr = addr.Unmap()
	ones, bits := route.Dst.Mask.Size()
	switch route.Type {
	case unix.RTN_BROADCAST:
		o.broadcast[addr] = struct{}{}
	case unix.RTN_LOCAL, unix.RTN_ANYCAST:
		if ones == bits {
			o.local[addr] = struct{}{}
		} else {
			o.prefixes = append(o.prefixes, netip.PrefixFrom(addr, ones))
		}
	}
}
