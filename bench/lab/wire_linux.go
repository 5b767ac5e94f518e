package lab

import (
	"fmt"

	"github.com/vishvananda/netlink"
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
	if err := l.route(); err != nil {
		return err
	}
	if err := l.settle(); err != nil || o.Congestion == "" {
		return err
	}
	return l.SetCongestion(o.Congestion)
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
		return fmt.Errorf("veth %s to %s: %w%s", port, far.Name, err, linkComesWith("veth", err))
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
		return fmt.Errorf("bridge %s: %w%s", name, err, linkComesWith("bridge", err))
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
