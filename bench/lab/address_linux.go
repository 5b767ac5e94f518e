package lab

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// address gives each end of both links its addresses, and its neighbour for good.
func (l *Lab) address() error {
	type end struct {
		ns    *Namespace
		link  string
		addrs [2]string
	}
	for _, pair := range [][2]end{
		{{l.Client, LAN, [2]string{Client4, Client6}}, {l.Gateway, LAN, [2]string{GatewayLAN4, GatewayLAN6}}},
		{{l.Server, WAN, [2]string{Server4, Server6}}, {l.Gateway, WAN, [2]string{GatewayWAN4, GatewayWAN6}}},
	} {
		var mac [2]net.HardwareAddr
		for i, e := range pair {
			var err error
			if mac[i], err = e.ns.addAddresses(e.link, e.addrs); err != nil {
				return err
			}
		}
		for i, e := range pair {
			if err := e.ns.addNeighbours(e.link, pair[1-i].addrs, mac[1-i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// addAddresses adds an IPv4 /24 and an IPv6 /64 to a link; it returns the link's
// hardware address.
func (ns *Namespace) addAddresses(name string, addrs [2]string) (net.HardwareAddr, error) {
	h, err := ns.links()
	if err != nil {
		return nil, err
	}
	defer h.Close()
	link, err := h.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("%s: link %s: %w", ns.Name, name, err)
	}
	for i, bits := range []int{24, 64} {
		ipnet := &net.IPNet{IP: net.ParseIP(addrs[i]), Mask: net.CIDRMask(bits, netip.MustParseAddr(addrs[i]).BitLen())}
		if err := h.AddrAdd(link, &netlink.Addr{IPNet: ipnet, Flags: unix.IFA_F_NODAD}); err != nil {
			return nil, fmt.Errorf("%s: address %s: %w", ns.Name, ipnet, err)
		}
	}
	return link.Attrs().HardwareAddr, nil
}

func (ns *Namespace) addNeighbours(name string, addrs [2]string, mac net.HardwareAddr) error {
	h, err := ns.links()
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("%s: link %s: %w", ns.Name, name, err)
	}
	for _, a := range addrs {
		n := &netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: net.ParseIP(a), HardwareAddr: mac}
		if err := h.NeighSet(n); err != nil {
			return fmt.Errorf("%s: neighbour %s: %w", ns.Name, a, err)
		}
	}
	return nil
}

// route adds the default routes, the local prefixes, and the gateway's routes to
// the client's local prefixes.
func (l *Lab) route() error {
	const any4, any6 = "0.0.0.0/0", "::/0"
	for _, r := range []struct {
		ns       *Namespace
		dst, via string // empty via: local
	}{
		{l.Client, any4, GatewayLAN4}, {l.Client, any6, GatewayLAN6},
		{l.Client, ClientNet4, ""}, {l.Client, ClientNet6, ""},
		{l.Gateway, any4, Server4}, {l.Gateway, any6, Server6},
		{l.Gateway, ClientNet4, Client4}, {l.Gateway, ClientNet6, Client6},
		{l.Server, any4, GatewayWAN4}, {l.Server, any6, GatewayWAN6},
		{l.Server, ServerNet4, ""}, {l.Server, ServerNet6, ""},
	} {
		if err := r.ns.addRoute(r.dst, r.via, unix.RT_TABLE_MAIN); err != nil {
			return err
		}
	}
	return nil
}

// addRoute adds a route through a neighbour, or, where via is empty, makes every
// address of dst the namespace's own (in the local table, or in the given one).
func (ns *Namespace) addRoute(dst, via string, table int) error {
	h, err := ns.links()
	if err != nil {
		return err
	}
	defer h.Close()
	_, ipnet, err := net.ParseCIDR(dst)
	if err != nil {
		return err
	}
	r := &netlink.Route{Dst: ipnet, Table: table}
	if via != "" {
		r.Gw = net.ParseIP(via)
	} else {
		lo, err := h.LinkByName("lo")
		if err != nil {
			return fmt.Errorf("%s: lo: %w", ns.Name, err)
		}
		r.LinkIndex, r.Type, r.Scope = lo.Attrs().Index, unix.RTN_LOCAL, netlink.SCOPE_HOST
		if table == unix.RT_TABLE_MAIN {
			r.Table = unix.RT_TABLE_LOCAL
		}
	}
	if err := h.RouteAdd(r); err != nil {
		return fmt.Errorf("%s: route %s via %q table %d: %w", ns.Name, dst, via, r.Table, err)
	}
	return nil
}
