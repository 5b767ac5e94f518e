package doctor

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"

	"sluice/redir/firewall"
	"sluice/redir/rules"
)

// Stopping says which rules of others stop diverted packets that arrive on
// the interfaces; without any, on all that are up.
func Stopping(ifaces []string) []Result {
	found, _ := interfaces(ifaces)
	stopping, _ := firewalls(found, len(ifaces) > 0)
	return stopping
}

// firewalls walks the rulesets with packets in mind: diverted ones, what sluice
// sends and gets for them, and those that forward rules would have seen. Where
// neither rules nor interfaces are named, who knows what shall be diverted. The
// last result says who needs the connection tracker.
func firewalls(ifaces []string, named bool) (stopping []Result, tracker Result) {
	ruleset, err := firewall.Read()
	if err != nil {
		unknown := Result{Name: "rules of others", Status: Warn, Detail: fmt.Sprintf("not readable: %v", err), Remedy: "sluice doctor"}
		return []Result{unknown}, ok(trackerCheck, "not known")
	}
	w := walk{ruleset: ruleset, ours: ruleset.OwnTable(rules.TableName, rules.StepTable)}
	w.mark, w.mask = ruleset.DivertMark(w.ours)
	status, err := rules.ReadStatus()
	w.installed = w.mask != 0 || err == nil && status.Installed
	if w.mask == 0 {
		w.mark, w.mask = rules.DefaultMark, rules.DefaultMask
	}
	w.isUnsure, w.port = !w.installed && !named, status.TCPPort
	if w.port == 0 && len(status.Ways) > 0 {
		w.port = status.Ways[0].Port
	}
	w.untracked = ruleset.Untracks(w.ours)
	w.diverted.name, w.own.name, w.forward.name = "rules of others", "own traffic", "forward rules"
	untracked := w
	untracked.untracked = true
	untracked.all(ifaces, named)
	w.all(ifaces, named)
	legacy(&w.diverted.judge)
	return []Result{
		w.diverted.result("none stops diverted packets"), w.own.result("passes"), w.forward.result("none that diverted packets would miss"),
	}, judgeNoTrack(&w, &untracked)
}

// all walks what the interfaces bring, and what sluice sends and gets for it.
func (w *walk) all(ifaces []string, named bool) {
	own := ownAddresses()
	families := []bool{false}
	if usesIPv6() {
		families = append(families, true)
	}
	for _, name := range ifaces {
		link, err := netlink.LinkByName(name)
		if err != nil {
			continue
		}
		diverts := false
		for _, ipv6 := range families {
			diverts = w.ingress(gatewayView{link, ipv6, networks(link, ipv6), own}) || diverts
		}
		if named && !diverts {
			w.diverted.find(Warn, "the rules that are there divert nothing of what arrives on "+name, "nft list table inet "+rules.TableName)
		}
	}
	for _, ipv6 := range families {
		w.upstream(gatewayView{ipv6: ipv6, own: own})
	}
}

// gatewayView is what packets of one family at one interface have in common.
type gatewayView struct {
	link    netlink.Link
	ipv6    bool
	clients []netip.Prefix
	own     []netip.Prefix // the gateway's
}

func (v gatewayView) device() firewall.Device {
	return firewall.Device{Name: v.link.Attrs().Name, Index: v.link.Attrs().Index}
}

// ownAddresses are all that are local here.
func ownAddresses() []netip.Prefix {
	addrs, _ := netlink.AddrList(nil, netlink.FAMILY_ALL)
	var own []netip.Prefix
	for _, a := range addrs {
		if addr, ok := netip.AddrFromSlice(a.IP); ok {
			own = append(own, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
		}
	}
	return own
}

// networks are those of a link, where its clients are.
func networks(link netlink.Link, ipv6 bool) []netip.Prefix {
	family := netlink.FAMILY_V4
	if ipv6 {
		family = netlink.FAMILY_V6
	}
	addrs, _ := netlink.AddrList(link, family)
	var all []netip.Prefix
	for _, a := range addrs {
		addr, ok := netip.AddrFromSlice(a.IP)
		if bits, _ := a.Mask.Size(); ok && !addr.Unmap().IsLinkLocalUnicast() && bits < addr.Unmap().BitLen() {
			all = append(all, netip.PrefixFrom(addr.Unmap(), bits).Masked())
		}
	}
	return all
}
