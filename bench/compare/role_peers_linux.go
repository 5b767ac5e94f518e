package compare

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"sluice/bench/lab"
)

// roles are those of the works that were asked for.
func (o Options) roles() map[Role]bool {
	works, _ := o.works() // Run has refused what cannot be
	all := map[Role]bool{}
	for _, w := range works {
		all[w.Role] = true
	}
	return all
}

// inRole are the peers of a role.
func (o Options) inRole(role Role) []func(seat) recipe {
	switch role {
	case Socks:
		return o.throughSocks()
	case Kernel:
		return o.pastSluice()
	}
	var all []func(seat) recipe
	variants := []string{clientSource, gatewaySource}
	if role == Reverse {
		variants = []string{clientSource, clientSource + ownRules, gatewaySource}
	}
	for _, v := range o.Variants {
		for _, flags := range variants {
			all = append(all, func(s seat) recipe { return sluiceAs(role, flags, v, o.Sluice, s) })
		}
	}
	for _, kind := range o.Kinds {
		if kind == HAProxy && role == Reverse {
			all = append(all, haproxyReverse)
		}
	}
	return all
}

// sluiceAs is a variant in a role: as a reverse proxy with the rule that HAProxy has
// or those of its own making, else with the latter.
func sluiceAs(role Role, own string, v Variant, path string, s seat) recipe {
	r := sluice(v, path, s)
	r.Name, r.Role, r.shows = v.Name+own, role, strings.HasPrefix(own, clientSource)
	flags := strings.Fields(strings.TrimSuffix(own, ownRules))
	if role == Source || strings.HasSuffix(own, ownRules) {
		flags = append(flags, strings.TrimSpace(ownRules), "--iface="+lab.LAN)
	} else {
		r.rules = replyRules()
	}
	if role == Source {
		r.args = append(r.args, flags...)
		return r
	}
	r.Name, r.Way, r.udp, r.front, r.perPort = reversePrefix+r.Name, Front, false, true, true
	for p := range uint16(portsUsed) {
		flags = append(flags, fmt.Sprintf("--forward=%s:%d=%s:%d,tcp", lab.GatewayLAN4, s.listen()+p, serverAddress, s.dest()+p))
	}
	r.args = slices.Concat(r.args[:1], flags, r.args[2:]) // without --tproxy
	return r
}

// haproxyReverse is HAProxy before a server that sees its clients.
func haproxyReverse(s seat) recipe {
	r := haproxy(s)
	var ends strings.Builder
	for p := range uint16(portsUsed) {
		fmt.Fprintf(&ends, "frontend in%d\n    bind %s:%d\n    default_backend out%d\n", p, lab.GatewayLAN4, s.listen()+p, p)
		fmt.Fprintf(&ends, "backend out%d\n    source 0.0.0.0 usesrc clientip\n    server s %s:%d\n", p, serverAddress, s.dest()+p)
	}
	const file = "haproxy-reverse.cfg"
	r.Peer = Peer{Name: ReverseHAProxy, Kind: HAProxy, Way: Front, Role: Reverse,
		Note: "source 0.0.0.0 usesrc clientip; else as " + HAProxy}
	r.front, r.shows, r.perPort = true, true, true
	r.args = []string{"-db", "-q", "-f", filepath.Join(s.dir, file)}
	common, _, _ := strings.Cut(r.files["haproxy.cfg"], "frontend")
	r.files = map[string]string{file: common + ends.String()}
	r.rules = replyRules()
	return r
}

// replyRules are those that HAProxy's documentation asks for: what belongs to a
// socket of a reverse proxy goes to it, also where the address is not the gateway's.
func replyRules() string {
	var b strings.Builder
	b.WriteString("table inet reverse {\n")
	chain(&b, "replies", "filter hook prerouting priority mangle",
		fmt.Sprintf("meta l4proto tcp socket transparent 1 meta mark set %d accept", lab.DivertMark))
	b.WriteString("}\n")
	return b.String()
}

// guardRules let nothing of the client's past a peer, but what is left to the kernel.
// Peers that are held against each other all have their connections tracked, as at
// most gateways, where one of them needs it.
func guardRules(role Role) string {
	var b strings.Builder
	b.WriteString("table inet guard {\n")
	rules := []string{fmt.Sprintf("iifname %q drop", lab.LAN)}
	switch role {
	case Source:
		rules = append([]string{"ct state invalid drop"}, rules...)
	case Kernel:
		rules = []string{"ct state invalid drop"}
	}
	chain(&b, "forward", "filter hook forward priority 0", rules...)
	b.WriteString("}\n")
	return b.String()
}
