package lab

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// wire sets the sysctls, joins the namespaces and routes between them.
func (l *Lab) wire(o Options) error {
	for _, ns := range []*Namespace{l.Client, l.Gateway, l.Server} {
		if err := ns.prepare(); err != nil {
			return err
		}
	}
	for _, key := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		if err := l.Gateway.Sysctl(key, "1"); err != nil {
			return err
		}
	}
	lanPort := LAN
	if o.Bridge {
		lanPort = LAN + "0"
	}
	if err := l.join(o, lanPort, l.Client, LAN); err != nil {
		return err
	}
	if err := l.join(o, WAN, l.Server, WAN); err != nil {
		return err
	}
	if o.Bridge {
		if err := l.Gateway.addBridge(LAN, lanPort, o.MTU); err != nil {
			return err
		}
	}
	if err := l.address(); err != nil {
		return err
	}
	return l.route()
}

// prepare brings the loopback up and sets the sysctls that every namespace has.
//
//   - no duplicate address detection: an address is usable at once;
//   - no reverse path filter: replies may bear any source;
//   - wide port range and TIME_WAIT reuse: a connection per request does not run
//     out of ports within seconds;
//   - IPv6 bind to a local prefix needs ip_nonlocal_bind (ipv6_chk_addr in
//     __inet6_bind knows no local routes; IPv4 does).
func (ns *Namespace) prepare() error {
	for _, s := range [][2]string{
		{"net/ipv6/conf/all/accept_dad", "0"},
		{"net/ipv6/conf/default/accept_dad", "0"},
		{"net/ipv4/conf/all/rp_filter", "0"},
		{"net/ipv4/conf/default/rp_filter", "0"},
		{"net/ipv4/ip_local_port_range", "1024 65535"},
		{"net/ipv4/tcp_tw_reuse", "1"},
		{"net/ipv6/ip_nonlocal_bind", "1"},
		{"net/core/somaxconn", "65535"},
	} {
		if err := ns.Sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	h, err := ns.links()
	if err != nil {
		return err
	}
	defer h.Close()
	return up(h, "lo")
}

// join makes a veth between the gateway's interface port and the far namespace's
// interface farName, and brings both ends up.
func (l *Lab) join(o Options, port string, far *Namespace, farName string) error {
	gh, err := l.Gateway.links()
	if err != nil {
		return err
	}
	defer gh.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = port, o.MTU
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: farName, PeerNamespace: netlink.NsFd(far.handle)}
	if err := gh.LinkAdd(veth); err != nil {
		return fmt.Errorf("veth %s to %s: %w", port, far.Name, err)
	}
	fh, err := far.links()
	if err != nil {
		return err
	}
	defer fh.Close()
	for _, end := range []struct {
		ns   *Namespace
		h    *netlink.Handle
		name string
	}{{l.Gateway, gh, port}, {far, fh, farName}} {
		if err := end.ns.SetGRO(end.name, o.GRO); err != nil {
			return err
		}
		if err := up(end.h, end.name); err != nil {
			return err
		}
	}
	return nil
}

// addBridge makes a bridge with one port.
func (ns *Namespace) addBridge(name, port string, mtu int) error {
	h, err := ns.links()
	if err != nil {
		return err
	}
	defer h.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = name, mtu
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := h.LinkAdd(bridge); err != nil {
		return fmt.Errorf("bridge %s: %w", name, err)
	}
	link, err := h.LinkByName(port)
	if err != nil {
		return fmt.Errorf("bridge port %s: %w", port, err)
	}
	if err := h.LinkSetMaster(link, bridge); err != nil {
		return fmt.Errorf("bridge port %s: %w", port, err)
	}
	return up(h, name)
}

func up(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("link %s: %w", name, err)
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("link %s up: %w", name, err)
	}
	return nil
}

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
