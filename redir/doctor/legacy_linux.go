package doctor

import (
	"os"
	"os/exec"
	"strings"
)

// legacy iptables is not visible through nftables; its tables are named here
// once somebody has used them. They are read by its own program, where that is
// there, and not walked: what ends packets in a chain that diverted ones pass
// is named.
func legacy(j *judge) {
	for _, f := range []struct{ names, program string }{{"ip_tables_names", "iptables-legacy"}, {"ip6_tables_names", "ip6tables-legacy"}} {
		names, _ := os.ReadFile("/proc/thread-self/net/" + f.names)
		if len(strings.Fields(string(names))) == 0 {
			continue
		}
		dump, err := exec.Command(f.program + "-save").Output()
		if err != nil {
			j.find(Warn, "legacy iptables has tables ("+strings.Join(strings.Fields(string(names)), ", ")+") that were not looked at: "+err.Error(), f.program+"-save")
			continue
		}
		for _, ending := range legacyEndings(string(dump)) {
			j.find(Warn, "legacy iptables, table "+ending.table+", may stop diverted packets: "+ending.rule, f.program+" -t "+ending.table+" -S")
		}
	}
}

// ending is a rule of legacy iptables that ends packets.
type ending struct{ table, rule string }

// legacyEndings reads what iptables-save prints: the first rule or policy of
// each table that may end a diverted packet, or take its mark, unless one
// before it accepts those by their mark.
func legacyEndings(dump string) []ending {
	var all []ending
	table, accepts := "", false
	policies := map[string]string{}
	add := func(rule string) {
		if !accepts && (len(all) == 0 || all[len(all)-1].table != table) {
			all = append(all, ending{table, rule})
		}
	}
	for line := range strings.Lines(dump) {
		line = strings.TrimSpace(line)
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		switch {
		case strings.HasPrefix(line, "*"):
			table, accepts = line[1:], false
			clear(policies)
		case strings.HasPrefix(line, ":") && len(fields) > 1:
			policies[fields[0][1:]] = fields[1]
		case strings.HasPrefix(line, "-A FORWARD"), strings.HasPrefix(line, "-A OUTPUT"), strings.HasPrefix(line, "-A POSTROUTING"):
		case strings.HasPrefix(line, "-A") && strings.Contains(line, "--mark") && strings.HasSuffix(line, "-j ACCEPT"):
			accepts = true
		case strings.HasPrefix(line, "-A"):
			for _, target := range []string{"DROP", "REJECT", "TPROXY", "REDIRECT", "DNAT", "MARK", "CONNMARK", "NFQUEUE"} {
				if strings.Contains(line+" ", "-j "+target+" ") {
					add(line)
				}
			}
		case line == "COMMIT":
			for _, chain := range []string{"INPUT", "PREROUTING"} {
				if policies[chain] == "DROP" {
					add("policy DROP of " + chain)
				}
			}
		}
	}
	return all
}
