package lab

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Far is a host behind the lab's client or server, which routes to it.
type Far struct {
	*Namespace
	V4, V6 netip.Addr
}

// hop is one link of the way to a Far, by its two ends.
type hop struct {
	near, far *Namespace
	name      string // of the link, at both ends
	mtu       int
	addrs     [2][2]string // of near and of far: IPv4, IPv6
}

// Behind adds a host behind the client or the server, and a router before it
// whose link has another MTU, as a tunnel's or PPPoE's. Only ICMP tells of it:
//
//	NAME-far ──1500── NAME-mid ──mtu── client or server
//	10.79.N.2         10.79.N.1
//	fd79:N::2         fd79:N::1         N: 1 behind the client, 2 behind the server
//
// One lab has one at most. Close takes it away with the lab.
func (l *Lab) Behind(via *Namespace, mtu int) (Far, error) {
	n := 1
	if via == l.Server {
		n = 2
	}
	var made [2]*Namespace
	for i, role := range []string{"-mid", "-far"} {
		ns, err := createNamespace(l.Name + role)
		if err != nil {
			return Far{}, err
		}
		l.mu.Lock()
		l.behind = append(l.behind, ns)
		l.mu.Unlock()
		made[i] = ns
		if err := ns.prepare(); err != nil {
			return Far{}, err
		}
	}
	mid, far := made[0], made[1]
	pair := func(net int) [2][2]string {
		return [2][2]string{
			{fmt.Sprintf("10.79.%d.1", net), fmt.Sprintf("fd79:%d::1", net)},
			{fmt.Sprintf("10.79.%d.2", net), fmt.Sprintf("fd79:%d::2", net)},
		}
	}
	narrow, wide := pair(10+n), pair(n)
	for _, h := range []hop{{via, mid, "narrow", mtu, narrow}, {mid, far, "wide", 1500, wide}} {
		if err := h.make(); err != nil {
			return Far{}, err
		}
	}
	return Far{far, netip.MustParseAddr(wide[1][0]), netip.MustParseAddr(wide[1][1])}, l.routeBehind(via, mid, far, n)
}

func (l *Lab) routeBehind(via, mid, far *Namespace, n int) error {
	var err error
	for _, ns := range []*Namespace{via, mid} {
		for _, key := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
			err = errors.Join(err, ns.Sysctl(key, "1"))
		}
	}
	to4, to6 := fmt.Sprintf("10.79.%d.0/24", n), fmt.Sprintf("fd79:%d::/64", n)
	link4, link6 := fmt.Sprintf("10.79.%d.0/24", 10+n), fmt.Sprintf("fd79:%d::/64", 10+n)
	routes := []struct {
		ns       *Namespace
		dst, via string
	}{
		{far, "0.0.0.0/0", fmt.Sprintf("10.79.%d.1", n)}, {far, "::/0", fmt.Sprintf("fd79:%d::1", n)},
		{mid, "0.0.0.0/0", fmt.Sprintf("10.79.%d.1", 10+n)}, {mid, "::/0", fmt.Sprintf("fd79:%d::1", 10+n)},
		{via, to4, fmt.Sprintf("10.79.%d.2", 10+n)}, {via, to6, fmt.Sprintf("fd79:%d::2", 10+n)},
	}
	if via == l.Client {
		for _, r := range [][2]string{{to4, Client4}, {link4, Client4}, {to6, Client6}, {link6, Client6}} {
			routes = append(routes, struct {
				ns       *Namespace
				dst, via string
			}{l.Gateway, r[0], r[1]})
		}
	}
	for _, r := range routes {
		if err == nil {
			err = r.ns.addRoute(r.dst, r.via, unix.RT_TABLE_MAIN)
		}
	}
	return err
}

// make makes the link, and gives both ends their addresses.
func (h hop) make() error {
	nh, err := h.near.links()
	if err != nil {
		return err
	}
	defer nh.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = h.name, h.mtu
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: h.name, PeerNamespace: netlink.NsFd(h.far.handle), PeerMTU: uint32(h.mtu)}
	if err := nh.LinkAdd(veth); err != nil {
		return fmt.Errorf("veth %s to %s: %w", h.name, h.far.Name, err)
	}
	fh, err := h.far.links()
	if err != nil {
		return err
	}
	defer fh.Close()
	if err := errors.Join(up(nh, h.name), up(fh, h.name)); err != nil {
		return err
	}
	_, err = h.near.addAddresses(h.name, h.addrs[0])
	if err == nil {
		_, err = h.far.addAddresses(h.name, h.addrs[1])
	}
	return err
}
