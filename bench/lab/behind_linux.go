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

// Behind adds a host behind the client or the server, by a link of another MTU,
// as behind a second router, a tunnel or PPPoE:
//
//	NAME-far ──mtu── client ──── gateway ──── server
//	NAME-far                     10.79.1.2, fd79:1::2 behind the client,
//	                             10.79.2.2, fd79:2::2 behind the server
//
// One lab has one at most. Close takes it away with the lab.
func (l *Lab) Behind(via *Namespace, mtu int) (Far, error) {
	net := 1
	if via == l.Server {
		net = 2
	}
	far, err := createNamespace(l.Name + "-far")
	if err != nil {
		return Far{}, err
	}
	l.mu.Lock()
	l.far = far
	l.mu.Unlock()
	near := [2]string{fmt.Sprintf("10.79.%d.1", net), fmt.Sprintf("fd79:%d::1", net)}
	own := [2]string{fmt.Sprintf("10.79.%d.2", net), fmt.Sprintf("fd79:%d::2", net)}
	if err := errors.Join(far.prepare(), via.link("far", mtu, far, "near")); err != nil {
		return Far{}, err
	}
	_, err = via.addAddresses("far", near)
	if err == nil {
		_, err = far.addAddresses("near", own)
	}
	for _, key := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		err = errors.Join(err, via.Sysctl(key, "1"))
	}
	for _, r := range []struct {
		ns       *Namespace
		dst, via string
	}{
		{far, "0.0.0.0/0", near[0]}, {far, "::/0", near[1]},
		{l.Gateway, "10.79.1.0/24", Client4}, {l.Gateway, "fd79:1::/64", Client6},
	} {
		if err == nil {
			err = r.ns.addRoute(r.dst, r.via, unix.RT_TABLE_MAIN)
		}
	}
	return Far{far, netip.MustParseAddr(own[0]), netip.MustParseAddr(own[1])}, err
}

// link makes a veth to another namespace, and brings both ends up.
func (ns *Namespace) link(name string, mtu int, far *Namespace, farName string) error {
	h, err := ns.links()
	if err != nil {
		return err
	}
	defer h.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = name, mtu
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: farName, PeerNamespace: netlink.NsFd(far.handle), PeerMTU: uint32(mtu)}
	if err := h.LinkAdd(veth); err != nil {
		return fmt.Errorf("veth %s to %s: %w", name, far.Name, err)
	}
	fh, err := far.links()
	if err != nil {
		return err
	}
	defer fh.Close()
	return errors.Join(up(h, name), up(fh, farName))
}
