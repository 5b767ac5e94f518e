package rules

import (
	"fmt"
	"net/netip"
)

// beside is a policy rule that stands before ours and is asked on the gateway's
// own account (iif lo).
type beside struct {
	ip         string // ip or ip -6
	steps      uint32 // how far before ours
	src        netip.Prefix
	mark, mask uint32
	table      int // 0: main
}

// at is its priority, for ours.
func (b beside) at(priority uint32) uint32 { return max(priority, b.steps) - b.steps }

// everyPort is every source port that the kernel takes in a rule
// (fib_rule_port_range_valid).
const everyPort = 65534

// selectors are what the rule asks for, and its deed, as ip(8) shows them.
func (b beside) selectors() string {
	text := ""
	if b.src.IsValid() {
		text += "from " + b.src.String() + " "
	}
	if b.mask != 0 {
		text += fmt.Sprintf("fwmark %#x/%#x ", b.mark, b.mask)
	}
	text += "iif lo "
	if b.src.IsValid() {
		text += fmt.Sprintf("sport 1-%d ", everyPort)
	}
	if b.table == 0 {
		return text + "lookup main"
	}
	return text + fmt.Sprintf("lookup %d", b.table)
}

func (b beside) command(priority uint32) string {
	return fmt.Sprintf("%s rule add %s priority %d protocol %d", b.ip, b.selectors(), b.at(priority), RouteProtocol)
}

// besides are the rules beside ours of a family.
//
// The source rule stands just before ours and answers, from the table main, what
// is asked with the fwmark on the gateway's own account. That is IPv4's check of
// a packet's source, where src_valid_mark has it follow the mark, as wg-quick
// does: our rule would send it to the local table, in which every source is a
// martian, and each diverted packet would be dropped (__fib_validate_source,
// net/ipv4/fib_frontend.c). With Output it cannot be, since what the gateway
// sends with the mark is to come back to it.
//
// Two more, before that, lead to sluice what the gateway's own servers answer to
// clients' addresses: what the output chain has marked, and what comes from
// loopback addresses, from which nothing would be sent elsewhere anyway. Only
// what has a port: what others have translated is routed anew without one
// (ip_route_me_harder), and goes where they send it.
func (p policy) besides(ip string) (all []beside) {
	if p.back.mask != 0 {
		loop := netip.MustParsePrefix("127.0.0.0/8")
		if ip != "ip" {
			loop = netip.MustParsePrefix("::1/128")
		}
		all = append(all, beside{ip: ip, steps: 2, src: loop, table: p.table},
			beside{ip: ip, steps: 2, mark: p.back.mark, mask: p.back.mask, table: p.table})
	}
	if p.source && ip == "ip" {
		all = append(all, beside{ip: ip, steps: 1, mark: p.mark, mask: p.mask})
	}
	return all
}
