package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Where a namespace says what its sockets have, and the kernel what there is (tcp(7)).
const (
	congestionKey  = "net/ipv4/tcp_congestion_control"
	congestionsKey = "net/ipv4/tcp_available_congestion_control"
)

// Congestion is the congestion control of this machine: of the namespace that this
// process is in.
func Congestion() (string, error) {
	text, err := os.ReadFile("/proc/sys/" + congestionKey)
	return strings.TrimSpace(string(text)), err
}

// Congestions are the congestion controls that the kernel has loaded.
func Congestions() ([]string, error) {
	text, err := os.ReadFile("/proc/sys/" + congestionsKey)
	return strings.Fields(string(text)), err
}

// CheckCongestion finds out whether the kernel has a congestion control. Asking for
// one loads its module where there is one, for who has CAP_NET_ADMIN
// (tcp_set_congestion_control in net/ipv4/tcp_cong.c).
func CheckCongestion(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	switch err := unix.SetsockoptString(fd, unix.SOL_TCP, unix.TCP_CONGESTION, name); {
	case name == "" || errors.Is(err, unix.ENOENT):
		there, _ := Congestions()
		return fmt.Errorf("congestion control %q is not there; net.ipv4.tcp_available_congestion_control has: %s; load it with: modprobe tcp_%s",
			name, strings.Join(there, ", "), name)
	case err == nil, errors.Is(err, unix.EPERM): // it is there, for root and in a lab
		return nil
	default:
		return os.NewSyscallError("setsockopt TCP_CONGESTION", err)
	}
}

// SetCongestion gives TCP in the lab a congestion control: connections that are made
// from here on, whoever opens or accepts them; empty is the namespaces' default.
//
// It is a metric of their routes (`ip route ... congctl NAME`), since namespaces other
// than the first may not have a default that net.ipv4.tcp_allowed_congestion_control
// does not name (tcp_set_default_congestion_control in net/ipv4/tcp_cong.c). Both ends
// take it from the route to the other (tcp_connect_init, tcp_ca_openreq_child), over
// what a program has set for a socket before, but for the default, which is no metric.
// Connections over IPv6 that do not leave a namespace keep the default: routes to its
// own addresses are the kernel's.
func (l *Lab) SetCongestion(name string) error {
	if name != "" {
		if err := CheckCongestion(name); err != nil {
			return err
		}
	}
	for _, ns := range []*Namespace{l.Client, l.Gateway, l.Server} {
		own, err := ns.ReadSysctl(congestionKey)
		if err != nil {
			return fmt.Errorf("%s: %w", ns.Name, err)
		}
		metric := name
		if name == own {
			metric = ""
		}
		if err := ns.setCongestion(metric); err != nil {
			return err
		}
	}
	return nil
}

// setCongestion writes the metric to every route that a connection can take; empty
// takes it away.
func (ns *Namespace) setCongestion(name string) error {
	h, err := ns.links()
	if err != nil {
		return err
	}
	defer h.Close()
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		for _, table := range []int{unix.RT_TABLE_MAIN, unix.RT_TABLE_LOCAL} {
			routes, err := h.RouteListFiltered(family, &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE)
			if err != nil {
				return fmt.Errorf("%s: routes: %w", ns.Name, err)
			}
			for _, r := range routes {
				if r.Congctl == name || !connects(family, r) {
					continue
				}
				r.Congctl = name
				if err := h.RouteReplace(&r); err != nil {
					return fmt.Errorf("%s: route %s congctl %q: %w", ns.Name, r.Dst, name, err)
				}
			}
		}
	}
	return nil
}

// connects tells routes that connections take and that can be replaced: of IPv6 not
// those to own addresses, since none but the kernel's have metric 0
// (ip6_route_info_create), nor to link-local ones, which all links have alike.
func connects(family int, r netlink.Route) bool {
	if r.Type != unix.RTN_UNICAST && r.Type != unix.RTN_LOCAL {
		return false
	}
	return family == unix.AF_INET || r.Priority != 0 && !linkLocal(r.Dst)
}

func linkLocal(dst *net.IPNet) bool { return dst != nil && dst.IP.IsLinkLocalUnicast() }
