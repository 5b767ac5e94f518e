package rules

// priorityFirst comes before every other chain of its hook (NF_IP_PRI_FIRST,
// linux/netfilter_ipv4.h).
const priorityFirst = -1 << 31

// escapes drop what bears the mark and leaves the gateway all the same, since
// the policy rule or its route is gone, or another's rule takes the packet: to
// fail closed, it must not leave past sluice. The kernel itself forwards no
// packet that is tied to a socket (ip_forward, ip6_forward), as tproxy and early
// demux do; what is left are running connections where net.ipv4.ip_early_demux is
// off, ICMP errors, and what the gateway sends. These chains come before whoever
// marks packets in their hooks for reasons of their own.
func escapes(s Spec) []chain {
	if s.Via == Redirect && !s.routed() || s.Fail == Open {
		return nil
	}
	forward := chain{name: "forward", kind: "filter", hook: "forward", priority: priorityFirst}
	forward.add([]term{markIs{s.Mark, s.Mask}, countIn{countEscaped}, drop})
	if (!s.Output || s.Via == Redirect) && !s.zoned() {
		return []chain{forward}
	}
	// What the gateway sends itself: what it forwards bears others' addresses yet,
	// and may have got a mark in forward.
	leaving := chain{name: "leaving", kind: "filter", hook: "postrouting", priority: priorityFirst}
	leaving.add([]term{outIs{"lo"}, goBack}, []term{sourceOfOthers{}, goBack})
	if s.Output {
		leaving.add([]term{markIs{s.Mark, s.Mask}, countIn{countEscaped}, drop})
	}
	if s.zoned() {
		leaving.add([]term{markIs{s.back().mark, s.back().mask}, countIn{countEscaped}, drop})
	}
	return []chain{forward, leaving}
}
