package rules

// priorityLast comes after every other chain of its hook (NF_IP_PRI_LAST,
// linux/netfilter_ipv4.h).
const priorityLast = 1<<31 - 1

// last has the last word in prerouting: it marks what sluice has taken a
// second time if somebody has put another mark in place of ours since, as
// iptables' CONNMARK --restore-mark does without a mask.
func last(s Spec) chain {
	c := lastOfListeners(s)
	c.rules = append(leftAlone(s), c.rules...)
	c.add(againReturns(s)...)
	switch {
	case !s.diverts():
		return c
	case len(s.Ingress()) > 0:
		c.add([]term{ifaceNotIn{setIfaces}, goBack})
	case !s.Output:
		c.add([]term{ifaceIs{"lo", false}, goBack})
	}
	c.add([]term{handedOver{}, setMark{s.Mark, s.Mask}, accept})
	if !s.foreign() { // else againReturns had them
		c.add(running(s, chainAgain)...)
	}
	return c
}

// sent takes care of what sluice sends: to its clients, which nobody else on
// the gateway does from addresses that are not its own, and upstream, by the
// mark of its sockets. A fwmark there was restored from the flow's conntrack
// mark or copied from the client's packet (fwmark_reflect, tcp_fwmark_accept),
// and would turn the packet back. And where the conntrack entry has gone, the
// next one begins with what goes to the client, so that the client's packets
// look like replies. (To ask the tracker has fragments put together, too, which
// listeners need.)
func sent(s Spec) [][]term {
	rules := append(unmarked(s), ownSent(s)...)
	return append(rules, []term{ctNew{}, sourceOfOthers{}, goTo(chainRemember)})
}

func unmarked(s Spec) [][]term {
	return [][]term{
		{markIs{s.Mark, s.Mask}, sourceOfOthers{}, setMark{0, s.Mask}},
		{markIs{s.Mark, s.Mask}, socketMarkIs{s.OwnMark}, setMark{0, s.Mask}},
	}
}
