package rules

import "slices"

// Counters of the table.
const (
	countNew      = "diverted"  // packets handed to a listener
	countListened = "listened"  // packets that went to a listener by themselves
	countRunning  = "running"   // packets of TCP connections that sluice has already, and ICMP errors about what it sent
	countRefused  = "refused"   // packets dropped because nobody listened
	countEscaped  = "escaped"   // packets dropped because the policy rule or its route was gone
	countReturned = "returned"  // UDP packets that servers sent to clients' addresses
	countOutput   = "output"    // packets of the gateway itself sent round to prerouting
	countLeft     = "forwarded" // first packets of flows that decisions leave to the kernel
)

// Sets of the table.
const (
	setIfaces   = "ifaces"
	setOifaces  = "oifaces"
	setDports   = "dports"
	setInclude4 = "include4"
	setInclude6 = "include6"
	setExclude4 = "exclude4"
	setExclude6 = "exclude6"
	setUIDs     = "uids"
)

func countersFor(s Spec) []string {
	counters := []string{countNew}
	if s.decides() {
		counters = append(counters, countLeft)
	}
	if s.Via == Redirect && !s.routed() {
		return counters
	}
	counters = append(counters, countRunning)
	if len(s.Listeners) > 0 {
		counters = append(counters, countListened)
	}
	if s.returnsUDP() {
		counters = append(counters, countReturned)
	}
	if s.Fail == Closed {
		counters = append(counters, countRefused, countEscaped)
	}
	if s.Output && s.Via == TProxy {
		counters = append(counters, countOutput)
	}
	return counters
}

// chainsFor lists the chains, those that others jump to first: the kernel
// wants a chain to be there before a rule that names it.
func chainsFor(s Spec) []chain {
	if s.Via == Redirect { // conntrack alone remembers and translates, no mark routes
		chains := append(wayChains(s), deciding(s)...)
		if s.diverts() {
			chains = append(chains, prerouting(s))
		}
		if s.Output {
			chains = append(chains, output(s))
		}
		return append(chains, besideRedirect(s)...)
	}
	chains := []chain{owned(s, chainOwned, countIn{countRunning}), owned(s, chainAgain), remember(s)}
	if s.diverts() {
		chains = append(append(chains, history(s)), wayChains(s)...)
		if s.zoned() && !s.decides() {
			chains = append(chains, delivering(s))
		}
	}
	if s.Output {
		chains = append(chains, round(s))
	}
	chains = append(append(chains, deciding(s)...), untracking(s)...)
	chains = append(append(chains, zoning(s)...), returnChains(s)...)
	return append(append(chains, prerouting(s), last(s), output(s)), escapes(s)...)
}

// prerouting sees what arrives on the ingress interfaces and, with Output,
// what the output chain sent round through lo.
func prerouting(s Spec) chain {
	c := chain{name: "prerouting", kind: "filter", hook: "prerouting", priority: *s.Priority}
	if s.Via == Redirect {
		c.kind = "nat"
		for _, match := range addressed(s) {
			c.add(append(match, goBack))
		}
		c.add(ingress(s)...)
		c.add([]term{protoNotIn{s.protos()}, goBack}, []term{toGateway{}, goBack})
	} else {
		if s.zoned() && s.carries(protoUDP) && len(s.Listeners) == 0 { // most packets; what is in the zone was chosen already
			c.add([]term{protoIs{protoUDP}, ctZoneIs{Zone}, goTo(chainDeliver)})
		}
		c.add(leftAlone(s)...)
		c.add(errorsOf(chainOwned)...)
		c.add(tooBigs(s)...)
		c.add(listening(s)...)
		c.add(returns(s)...)
		if !s.diverts() {
			return c
		}
		c.add(ingress(s)...)
		c.add(tooBigsUntracked(s)...)
		c.add([]term{protoNotIn{s.protos()}, goBack})
		if !s.foreign() { // else returns had them
			c.add(running(s, chainOwned)...)
		}
		if s.zoned() { // what is there was chosen by the same conditions
			c.add([]term{ctZoneIs{Zone}, goTo(chainDeliver)})
		}
		c.add([]term{toGateway{}, goBack}, []term{jump(chainHistory)})
	}
	c.add(elsewhere(s)...)
	c.add(between(s)...)
	c.add(leavingBy(s)...)
	c.add(targets(s)...)
	switch {
	case s.decides():
		c.add([]term{goTo(chainDecide)})
	case s.zoned():
		c.add([]term{goTo(chainDeliver)})
	default:
		c.add(handOver(s)...)
	}
	return c
}

// handOver gives sluice what nothing has left alone.
func handOver(s Spec) [][]term {
	rules := byWay(s, wayChain)
	if s.hasRest() {
		rules = append(rules, deliver(s)...)
	}
	return rules
}

// output sees what programs on the gateway send, sluice among them. For
// tproxy it comes last in its hook, after whoever else sets or restores marks,
// and the kernel routes the packet anew if its mark has changed.
func output(s Spec) chain {
	c := chain{name: "output", kind: "route", hook: "output", priority: priorityLast}
	if s.Via == Redirect {
		c.kind, c.priority = "nat", *s.Priority
	} else {
		c.add(sent(s)...)
	}
	if !s.Output {
		return c
	}
	c.add([]term{protoNotIn{s.restProtos()}, goBack})
	c.add([]term{socketMarkIs{s.OwnMark}, goBack})
	if s.ExcludeCgroup != "" {
		c.add([]term{cgroupIs{s.ExcludeCgroup}, goBack})
	}
	if len(s.ExcludeUIDs) > 0 {
		c.add([]term{uidIn{setUIDs}, goBack})
	}
	c.add([]term{toGateway{}, goBack})
	if len(s.Oifaces) > 0 { // as routed before this hook: a mark set in it is not asked
		c.add([]term{outNotIn{setOifaces}, goBack})
	}
	if s.Via == Redirect {
		c.add(targets(s)...)
		if s.decides() {
			c.add([]term{goTo(chainDecideOut)})
			return c
		}
		c.add(deliver(s)...)
		return c
	}
	c.add([]term{ctReply{}, goBack}, []term{jump(chainHistory)})
	c.add(targets(s)...)
	c.add([]term{sourceOfOthers{}, goBack}) // sluice to a client, where nothing is tracked
	if s.decides() {
		c.add([]term{goTo(chainDecideOut)})
		return c
	}
	c.add(sendRound(s)...)
	return c
}

// sendRound sends what the gateway sends itself round to prerouting.
func sendRound(s Spec) [][]term {
	return [][]term{{setMark{s.Mark, s.Mask}, countIn{countOutput}, goTo(chainRemember)}}
}

// targets leaves out destinations by address and port.
func targets(s Spec) [][]term {
	var rules [][]term
	if len(s.Exclude) > 0 {
		rules = append(rules,
			[]term{destIn{familyIPv4, setExclude4, false}, goBack},
			[]term{destIn{familyIPv6, setExclude6, false}, goBack})
	}
	if len(s.Include) > 0 {
		rules = append(rules,
			[]term{destIn{familyIPv4, setInclude4, true}, goBack},
			[]term{destIn{familyIPv6, setInclude6, true}, goBack})
	}
	if len(s.Dports) > 0 {
		rules = append(rules, []term{portNotIn{setDports}, goBack})
	}
	return rules
}

// deliver hands to sluice what arrived by no way.
func deliver(s Spec) [][]term { return deliverTo(s, s.TCPPort, s.UDPPort) }

// deliverTo hands the rest to sluice, at a port for each protocol. tproxy ends its
// rule when it finds no listener (nft_tproxy_eval sets NFT_BREAK), and whatever
// stands after it in the rule is left undone: the packet goes on unmarked. So open
// is the rule alone, and closed is a drop behind it. What asks the connection
// tracker stands in a chain of its own, since it ends its rule for a packet that is
// not tracked (nft_ct_get_eval).
func deliverTo(s Spec, tcp, udp uint16) [][]term {
	if s.Via == Redirect {
		return [][]term{{protoIs{protoTCP}, countIn{countNew}, redirectTo{tcp}}}
	}
	var rules [][]term
	for _, to := range inletsOf(tcp, udp) {
		rules = append(rules, []term{protoIs{to.proto}, tproxyTo{to.port},
			setMark{s.Mark, s.Mask}, countIn{countNew}, goTo(chainRemember)})
	}
	return append(rules, refuse(s)...)
}

// refuse drops what no listener takes, to fail closed.
func refuse(s Spec) [][]term {
	if s.Fail == Closed {
		return [][]term{{countIn{countRefused}, drop}}
	}
	return nil
}

// inlet is where sluice takes in a protocol.
type inlet struct {
	proto byte
	port  uint16
}

func inletsOf(tcp, udp uint16) []inlet {
	all := []inlet{{protoTCP, tcp}, {protoUDP, udp}}
	return slices.DeleteFunc(all, func(l inlet) bool { return l.port == 0 })
}

func (c *chain) add(rules ...[]term) { c.rules = append(c.rules, rules...) }
