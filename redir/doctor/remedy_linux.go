package doctor

import (
	"fmt"
	"slices"
	"strings"

	"sluice/redir/firewall"
	"sluice/redir/rules"
)

// remedy is a command that mends a ruleset, and where that is kept.
type remedy struct{ command, lasting string }

// match is a condition of a rule, for nft and for iptables.
type match struct{ nft, iptables string }

// remedyFor accepts the packets first in the chain where they are stopped:
// by their mark, or by that of their connection; where they have none yet, by
// their interface.
func remedyFor(stop firewall.Stop, isBefore bool, p firewall.Packet, mark, mask uint32) remedy {
	var m match
	switch {
	case isBefore:
		m = match{fmt.Sprintf("iifname %q", p.In.Name), "-i " + p.In.Name}
	case p.DNAT:
		m = match{fmt.Sprintf("iifname %q ct status dnat", p.In.Name), "-i " + p.In.Name + " -m conntrack --ctstate DNAT"}
	default:
		m = match{fmt.Sprintf("meta mark and %#x == %#x", mask, mark), fmt.Sprintf("-m mark --mark %#x/%#x", mark, mask)}
	}
	return accept(stop.Base, m)
}

// acceptReplies lets answers to a client out.
func (w *walk) acceptReplies(c *firewall.Chain, v gatewayView) remedy {
	name := v.link.Attrs().Name
	if w.untracked {
		return accept(c, match{fmt.Sprintf("oifname %q ct state untracked", name), "-o " + name + " -m conntrack --ctstate UNTRACKED"})
	}
	return accept(c, match{fmt.Sprintf("oifname %q ct state established,related", name), "-o " + name + " -m conntrack --ctstate ESTABLISHED,RELATED"})
}

// acceptOwn lets what bears sluice's own mark out.
func acceptOwn(c *firewall.Chain) remedy {
	return accept(c, match{fmt.Sprintf("meta mark and %#x == %#x", rules.DefaultOwnMark, rules.DefaultOwnMark),
		fmt.Sprintf("-m mark --mark %#x/%#x", rules.DefaultOwnMark, rules.DefaultOwnMark)})
}

// acceptAnswers lets answers of servers in.
func (w *walk) acceptAnswers(c *firewall.Chain) remedy {
	if w.untracked {
		return accept(c, match{"ct state untracked", "-m conntrack --ctstate UNTRACKED"})
	}
	return accept(c, match{"ct state established,related", "-m conntrack --ctstate ESTABLISHED,RELATED"})
}

// accept is the command that puts a rule first in the chain, in the manner of
// whoever made it.
func accept(c *firewall.Chain, m match) remedy {
	family, table := c.Table.Family(), c.Table.Name
	if program := iptablesOf(c); program != "" {
		command := program + " -t " + table + " -I " + c.Name + " " + m.iptables + " -j ACCEPT"
		command = strings.Replace(command, "-t filter ", "", 1)
		if c.Table.HasChain("ufw-before-input") || c.Table.HasChain("ufw6-before-input") {
			return remedy{command, fmt.Sprintf("in /etc/ufw/before.rules and before6.rules, before their other rules: -A ufw-before-input %s -j ACCEPT (before6.rules: ufw6-before-input)", m.iptables)}
		}
		return remedy{command, program + "-save > /etc/iptables/rules." + map[string]string{"ip": "v4", "ip6": "v6"}[family]}
	}
	rule := m.nft + " accept"
	command := "nft insert rule " + c.String() + " " + shellQuoted(rule)
	switch {
	case table == "firewalld":
		zone := "firewall-cmd --permanent --zone=trusted --change-interface=NAME, and firewall-cmd --reload"
		if c.Table.Owned {
			return remedy{strings.Replace(zone, ", and ", "; ", 1), ""}
		}
		return remedy{command, zone}
	case table == "fw4":
		return remedy{command, "echo " + shellQuoted(rule) + " > /usr/share/nftables.d/chain-pre/" + c.Name + "/10-sluice.nft"}
	}
	return remedy{command, "the same rule in /etc/nftables.conf, or where the table " + family + " " + table + " is made"}
}

// iptablesOf is the program that made the chain: nft's own tables of that name
// seldom have chains in capital letters.
func iptablesOf(c *firewall.Chain) string {
	program := map[string]string{"ip": "iptables", "ip6": "ip6tables"}[c.Table.Family()]
	if !slices.Contains([]string{"filter", "nat", "mangle", "raw", "security"}, c.Table.Name) ||
		!slices.Contains([]string{"INPUT", "OUTPUT", "FORWARD", "PREROUTING", "POSTROUTING"}, c.Name) {
		return ""
	}
	return program
}

// shellQuoted leaves alone what a shell takes as it is.
func shellQuoted(text string) string {
	if strings.ContainsAny(text, `"*&|;<>()$`) {
		return "'" + text + "'"
	}
	return text
}
