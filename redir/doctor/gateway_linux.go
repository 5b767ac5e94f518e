package doctor

import (
	"fmt"
	"slices"
	"strings"

	"sluice/redir/firewall"
	"sluice/redir/rules"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// forwarding: without it, what is not diverted ends here. That of IPv6 is
// needed where an interface has an address beyond its link.
func forwarding() Result {
	j := judge{name: "forwarding"}
	if value, exists := sysctl("net/ipv4/ip_forward"); exists && value == 0 {
		j.find(Fail, "net.ipv4.ip_forward is 0: what is not diverted is dropped", setCommand("net/ipv4/ip_forward", 1))
	}
	if value, exists := sysctl("net/ipv6/conf/all/forwarding"); exists && value == 0 && usesIPv6() {
		j.find(Fail, "net.ipv6.conf.all.forwarding is 0: what is not diverted is dropped", setCommand("net/ipv6/conf/all/forwarding", 1))
	}
	return j.result("on")
}

func usesIPv6() bool {
	addrs, err := netlink.AddrList(nil, unix.AF_INET6)
	return err == nil && slices.ContainsFunc(addrs, func(a netlink.Addr) bool { return a.IP.IsGlobalUnicast() })
}

// sourceCheck: the reverse path filter, and whether it follows the mark, which
// makes every diverted packet a martian (__fib_validate_source).
func sourceCheck(ifaces []string) Result {
	j := judge{name: "rp_filter"}
	guarded := guarded() // a source rule answers the check; and routing judges whether it does
	for _, name := range append([]string{"all"}, ifaces...) {
		path := "net/ipv4/conf/" + name + "/src_valid_mark"
		if value, _ := sysctl(path); value != 0 && !guarded {
			j.find(Fail, fmt.Sprintf("src_valid_mark of %s: the source check follows the mark and drops diverted packets", name), setCommand(path, 0))
		}
	}
	all, _ := sysctl("net/ipv4/conf/all/rp_filter")
	for _, name := range ifaces {
		path := "net/ipv4/conf/" + name + "/rp_filter"
		// The kernel takes the larger of the two (IN_DEV_RPFILTER).
		if value, exists := sysctl(path); exists && max(value, all) == 1 {
			j.find(Warn, name+" is strict: packets of clients whose route back leads elsewhere are dropped", setCommand(path, 2))
		}
	}
	return j.result("does not hinder")
}

// guarded tells whether sluice's own table is there, which keeps marks that
// others set, take or copy from doing harm.
func guarded() bool {
	ruleset, err := firewall.Read()
	return err == nil && ruleset.Guards(ruleset.OwnTable(rules.TableName, rules.StepTable))
}

// kernelMarks: sysctls by which the kernel copies the mark of a packet to what
// answers it. The divert mark leads whatever bears it back to this machine.
func kernelMarks() Result {
	j := judge{name: "kernel's marks"}
	const accept = "net/ipv4/tcp_fwmark_accept"
	if value, _ := sysctl(accept); value != 0 && !guarded() {
		// inet_request_mark (include/net/inet_sock.h): from the SYN-ACK on.
		j.find(Fail, "tcp_fwmark_accept gives accepted connections the divert mark, which leads what they send back here: no TCP connection comes about",
			setCommand(accept, 0))
	}
	for _, path := range []string{"net/ipv4/fwmark_reflect", "net/ipv6/fwmark_reflect"} {
		if value, _ := sysctl(path); value != 0 {
			// IP4_REPLY_MARK (include/net/ip.h)
			j.find(Warn, strings.ReplaceAll(strings.TrimPrefix(path, "net/"), "/", ".")+
				" gives resets and ICMP errors of the gateway the divert mark, which leads them back here: clients wait instead of being refused", setCommand(path, 0))
		}
	}
	return j.result("does not copy the divert mark")
}

// bridge: br_netfilter runs prerouting on the bridge, where the socket that
// TPROXY found is lost again.
func bridge(ifaces []string) Result {
	j := judge{name: "br_netfilter"}
	bridged := bridgedOf(ifaces)
	if len(bridged) == 0 {
		return j.result("no bridge among the interfaces")
	}
	for _, path := range []string{"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"} {
		if value, _ := sysctl(path); value != 0 {
			j.find(Fail, strings.TrimPrefix(path, "net/bridge/")+" undoes TPROXY on "+strings.Join(bridged, ", "), setCommand(path, 0))
		}
	}
	return j.result("off for bridges")
}

// bridgedOf picks the bridges, and the VLANs on one.
func bridgedOf(ifaces []string) []string {
	links, err := netlink.LinkList()
	if err != nil {
		return nil
	}
	bridges := map[int]bool{}
	for _, link := range links {
		bridges[link.Attrs().Index] = link.Type() == "bridge"
	}
	var bridged []string
	for _, link := range links {
		attrs := link.Attrs()
		if slices.Contains(ifaces, attrs.Name) && (bridges[attrs.Index] || bridges[attrs.ParentIndex]) {
			bridged = append(bridged, attrs.Name)
		}
	}
	return bridged
}

// routeLocalnet: neither REDIRECT (which takes the interface's own address)
// nor TPROXY needs it, and it lets neighbours reach services on 127.0.0.1.
func routeLocalnet(ifaces []string) Result {
	j := judge{name: "route_localnet"}
	for _, name := range append([]string{"all"}, ifaces...) {
		path := "net/ipv4/conf/" + name + "/route_localnet"
		if value, _ := sysctl(path); value != 0 {
			j.find(Warn, "on for "+name+": not needed, and opens services on 127.0.0.1 to neighbours", setCommand(path, 0))
		}
	}
	return j.result("off, and not needed")
}
