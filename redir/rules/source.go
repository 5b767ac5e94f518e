package rules

import "fmt"

// The source rule stands just before ours and answers, from the table main,
// what is asked with the fwmark on the gateway's own account (iif lo). That is
// IPv4's check of a packet's source, where src_valid_mark has it follow the
// mark, as wg-quick does: our rule would send it to the local table, in which
// every source is a martian, and each diverted packet would be dropped
// (__fib_validate_source, net/ipv4/fib_frontend.c). With Output it cannot be,
// since what the gateway sends with the mark is to come back to it.

// sourcePriority is that of the source rule, for ours.
func sourcePriority(priority uint32) uint32 { return max(priority, 1) - 1 }

func (p policy) sourceCommand(priority uint32) string {
	return fmt.Sprintf("ip rule add fwmark %#x/%#x iif lo lookup main priority %d protocol %d", p.mark, p.mask, sourcePriority(priority), RouteProtocol)
}
