package compare

import (
	"fmt"
	"strings"

	"sluice/bench/lab"
)

// divertRules is the gateway's table: one map from the destination port to the
// peer's chain, so that each peer's packets meet the same number of rules.
//
// A redirect needs conntrack, which would then follow every packet of the
// namespace; those of no redirect peer are exempted (notrack), and without any
// such peer there is no conntrack at all.
func divertRules(all []recipe, seats []seat) string {
	var tproxied, redirected, chains, tracked, trackedOut []string
	for i, r := range all {
		s := seats[i]
		block := fmt.Sprintf("%d-%d", s.dest(), s.dest()+blockSize-1)
		protocols := "{ tcp, udp }"
		if !r.udp {
			protocols = "tcp"
		}
		switch r.Way {
		case TProxy:
			tproxied = append(tproxied, fmt.Sprintf("%s : goto peer%d", block, i))
			chains = append(chains, fmt.Sprintf(` chain peer%d {
  tcp flags & (fin | syn | rst | ack) != syn socket transparent 1 meta mark set %d accept
  meta l4proto %s meta mark set %d tproxy to :%d accept
 }
`, i, lab.DivertMark, protocols, lab.DivertMark, s.listen()))
		case Redirect:
			if r.perPort {
				for p := range uint16(portsUsed) {
					redirected = append(redirected, fmt.Sprintf("meta l4proto %s th dport %d redirect to :%d", protocols, s.dest()+p, s.listen()+p))
				}
			} else {
				redirected = append(redirected, fmt.Sprintf("meta l4proto %s th dport %s redirect to :%d", protocols, block, s.listen()))
			}
			tracked = append(tracked, block)
			trackedOut = append(trackedOut, fmt.Sprintf("%d-%d", s.listen(), s.listen()+blockSize-1))
		}
	}
	var b strings.Builder
	b.WriteString("table inet compare {\n")
	b.WriteString(strings.Join(chains, ""))
	if len(tproxied) > 0 {
		chain(&b, "to_peers", "filter hook prerouting priority mangle",
			fmt.Sprintf("iifname %q meta l4proto { tcp, udp } th dport vmap { %s }", lab.LAN, strings.Join(tproxied, ", ")))
	}
	if len(redirected) > 0 {
		chain(&b, "to_ports", "nat hook prerouting priority dstnat", prefixed(fmt.Sprintf("iifname %q ", lab.LAN), redirected)...)
		chain(&b, "without_ct", "filter hook prerouting priority raw",
			fmt.Sprintf("iifname %q meta l4proto { tcp, udp } th dport { %s } accept", lab.LAN, strings.Join(tracked, ", ")), "notrack")
		chain(&b, "without_ct_out", "filter hook output priority raw",
			fmt.Sprintf("oifname %q meta l4proto { tcp, udp } th sport { %s } accept", lab.LAN, strings.Join(trackedOut, ", ")), "notrack")
	}
	b.WriteString("}\n")
	return b.String()
}

// chain writes a base chain.
func chain(b *strings.Builder, name, hook string, rules ...string) {
	fmt.Fprintf(b, " chain %s {\n  type %s\n", name, hook)
	for _, r := range rules {
		fmt.Fprintf(b, "  %s\n", r)
	}
	b.WriteString(" }\n")
}

func prefixed(prefix string, lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = prefix + l
	}
	return out
}
