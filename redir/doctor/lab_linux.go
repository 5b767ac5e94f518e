package doctor

import (
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Where the probe's server is, and on which port.
const (
	probeServer4 = "198.51.100.2"
	probeServer6 = "2001:db8:2::2"
	probePort    = 7
	sluicePort   = 12345
)

// lab is client, gateway and server (see the package's picture).
type lab struct{ client, gateway, server *space }

func newLab() (*lab, error) {
	l := &lab{}
	for _, s := range []**space{&l.client, &l.gateway, &l.server} {
		var err error
		if *s, err = newSpace(); err != nil {
			l.close()
			return nil, err
		}
	}
	if err := l.build(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) close() {
	for _, s := range []*space{l.client, l.gateway, l.server} {
		if s != nil {
			s.close()
		}
	}
}

func (l *lab) build() error {
	for _, s := range []*space{l.client, l.gateway, l.server} {
		if err := s.do(usableAtOnce); err != nil {
			return err
		}
	}
	for _, end := range []struct {
		name, gateway4, gateway6, far4, far6 string
		far                                  *space
	}{
		{"c0", "192.0.2.1/24", "2001:db8:1::1/64", "192.0.2.2/24", "2001:db8:1::2/64", l.client},
		{"s0", "198.51.100.1/24", "2001:db8:2::1/64", probeServer4 + "/24", probeServer6 + "/64", l.server},
	} {
		if err := l.gateway.do(func() error {
			link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: end.name}, PeerName: "e0", PeerNamespace: netlink.NsFd(end.far.fd)}
			if err := netlink.LinkAdd(link); err != nil {
				return fmt.Errorf("veth: %w", err)
			}
			return address(end.name, end.gateway4, end.gateway6)
		}); err != nil {
			return err
		}
		if err := end.far.do(func() error {
			if err := address("e0", end.far4, end.far6); err != nil {
				return err
			}
			return defaultVia(end.gateway4, end.gateway6)
		}); err != nil {
			return err
		}
	}
	return l.gateway.do(func() error {
		for _, path := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
			if err := os.WriteFile("/proc/sys/"+path, []byte("1"), 0); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		return nil
	})
}

// usableAtOnce has links' own IPv6 addresses be so: a neighbour is asked for from
// there, where what is to be sent bears another's address (ndisc_solicit).
func usableAtOnce() error {
	err := os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0)
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// address gives the link its addresses and sets it up. NODAD: usable at once.
func address(name string, prefixes ...string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	for _, prefix := range prefixes {
		addr, err := netlink.ParseAddr(prefix)
		if err != nil {
			return err
		}
		addr.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(link, addr); err != nil && addr.IP.To4() != nil {
			return fmt.Errorf("address %s: %w", prefix, err)
		}
	}
	return netlink.LinkSetUp(link)
}

func defaultVia(gateways ...string) error {
	for _, gateway := range gateways {
		ip, _, err := net.ParseCIDR(gateway)
		if err != nil {
			return err
		}
		if err := netlink.RouteAdd(&netlink.Route{Gw: ip}); err != nil && ip.To4() != nil {
			return fmt.Errorf("route via %s: %w", gateway, err)
		}
	}
	return nil
}
