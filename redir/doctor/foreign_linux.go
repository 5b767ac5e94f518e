package doctor

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"

	"sluice/redir/rules"
	"sluice/redir/sockets"
)

// foreign looks at the listeners at addresses that the gateway need not have, and
// names them.
func foreign(j *judge, all []rules.Listener) (fine []string) {
	for _, l := range all {
		for _, want := range []struct {
			network string
			state   sockets.State
			wanted  bool
		}{{"tcp", sockets.Listening, l.TCP}, {"udp", sockets.Unconnected, l.UDP}} {
			if want.wanted && !listeningAt(want.network, l.Addr, want.state) {
				j.find(Fail, fmt.Sprintf("nobody listens on %s %s, where the rules let packets in", want.network, l.Addr),
					fmt.Sprintf("sluice run --tproxy %s  # or --forward %[1]s=SERVER:PORT", l.Addr))
			}
		}
		if name := onLink(l.Addr.Addr()); name != "" {
			j.find(Warn, fmt.Sprintf("%s is in the network of %s, and the gateway does not answer who asks for it there: it gets only what is routed to it", l.Addr.Addr(), name),
				fmt.Sprintf("ip route add local %s dev lo  # it answers then", l.Addr.Addr()))
		}
		fine = append(fine, l.String())
	}
	return fine
}

// listeningAt tells whether a socket is bound to just this address.
func listeningAt(network string, at netip.AddrPort, state sockets.State) bool {
	for s := range sockets.Here(network, network+"6") {
		if s.State == state && s.Local == at {
			return true
		}
	}
	return false
}

// onLink is the interface whose network has the address, while the gateway has
// not.
func onLink(addr netip.Addr) string {
	if rules.IsLocal(addr) {
		return ""
	}
	links, err := netlink.LinkList()
	if err != nil {
		return ""
	}
	for _, link := range links {
		addrs, _ := netlink.AddrList(link, netlink.FAMILY_ALL)
		for _, a := range addrs {
			if a.IPNet != nil && a.IPNet.Contains(addr.AsSlice()) {
				return link.Attrs().Name
			}
		}
	}
	return ""
}
