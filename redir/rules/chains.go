package rules

// Counters of the table.
const (
	countNew     = "diverted" // packets handed to a listener
	countRunning = "running"  // packets of TCP connections that sluice has already
	countRefused = "refused"  // packets dropped because nobody listened
	countOutput  = "output"   // packets of the gateway itself sent round to prerouting
)

// Sets of the table.
const (
	setIfaces   = "ifaces"
	setDports   = "dports"
	setInclude4 = "include4"
	setInclude6 = "include6"
	setExclude4 = "exclude4"
	setExclude6 = "exclude6"
	setUIDs     = "uids"
)

func countersFor(s Spec) []string {
	counters := []string{countNew}
	if s.Via == Redirect {
		return counters
	}
	if s.TCPPort != 0 {
		counters = append(counters, countRunning)
	}
	if s.Fail == Closed {
		counters = append(counters, countRefused)
	}
	if s.Output {
		counters = append(counters, countOutput)
	}
	return counters
}

func chainsFor(s Spec) []chain {
	chains := []chain{prerouting(s)}
	if s.Output {
		chains = append(chains, output(s))
	}
	return chains
}

// prerouting sees what arrives on the ingress interfaces and, with Output,
// what the output chain sent round through lo.
func prerouting(s Spec) chain {
	c := chain{name: "prerouting", kind: "filter", hook: "prerouting", priority: *s.Priority}
	if s.Via == Redirect {
		c.kind = "nat"
	}
	c.add(ingress(s)...)
	c.add([]term{protoNotIn{s.protos()}, goBack})
	c.add([]term{markIs{s.OwnMark, allBits, false}, goBack})
	if s.Via == TProxy && s.TCPPort != 0 {
		c.add([]term{protoIs{protoTCP}, notOpening{}, transparentSocket{}, setMark{s.Mark, s.Mask}, countIn{countRunning}, accept})
	}
	c.add([]term{toGateway{}, goBack})
	c.add(unanswered(s, len(s.Ifaces) == 0)...)
	c.add(targets(s)...)
	c.add(deliver(s)...)
	return c
}

// output sees what programs on the gateway send.
func output(s Spec) chain {
	c := chain{name: "output", kind: "route", hook: "output", priority: *s.Priority}
	if s.Via == Redirect {
		c.kind = "nat"
	}
	c.add([]term{protoNotIn{s.protos()}, goBack})
	c.add([]term{markIs{s.OwnMark, allBits, false}, goBack})
	if s.ExcludeCgroup != "" {
		c.add([]term{cgroupIs{s.ExcludeCgroup}, goBack})
	}
	if len(s.ExcludeUIDs) > 0 {
		c.add([]term{uidIn{setUIDs}, goBack})
	}
	c.add([]term{toGateway{}, goBack})
	c.add(unanswered(s, true)...)
	c.add(targets(s)...)
	if s.Via == Redirect {
		c.add(deliver(s)...)
	} else {
		c.add([]term{setMark{s.Mark, s.Mask}, countIn{countOutput}, accept})
	}
	return c
}

// ingress leaves out interfaces that are not named. Through lo comes nothing
// to divert but what the output chain marked.
func ingress(s Spec) [][]term {
	switch {
	case s.Output && s.Via == TProxy:
		rules := [][]term{{ifaceIs{"lo"}, markIs{s.Mark, s.Mask, true}, goBack}}
		if len(s.Ifaces) > 0 {
			rules = append(rules, []term{ifaceNotIn{setIfaces}, goBack})
		}
		return rules
	case len(s.Ifaces) > 0:
		return [][]term{{ifaceNotIn{setIfaces}, goBack}}
	default:
		return [][]term{{ifaceIs{"lo"}, goBack}}
	}
}

// unanswered leaves flows alone that are not for sluice by their history:
// replies (where they can come this way at all), and flows under way.
func unanswered(s Spec, repliesToo bool) [][]term {
	if s.Via == Redirect { // a nat chain sees the first packet of a flow alone
		return nil
	}
	var rules [][]term
	if repliesToo {
		rules = append(rules, []term{ctReply{}, goBack})
	}
	if s.Established == Keep {
		rules = append(rules, []term{ctUnderWay{}, ctMarkIs{s.Mark, s.Mask, true}, goBack})
	}
	return rules
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

// deliver hands the rest to sluice. tproxy ends its rule when it finds no
// listener (nft_tproxy_eval sets NFT_BREAK), and whatever stands after it in
// the rule is left undone: the packet goes on unmarked. So open is the rule
// alone, and closed is a drop behind it.
func deliver(s Spec) [][]term {
	if s.Via == Redirect {
		return [][]term{{protoIs{protoTCP}, countIn{countNew}, redirectTo{s.TCPPort}}}
	}
	var rules [][]term
	for _, to := range []struct {
		proto byte
		port  uint16
	}{{protoTCP, s.TCPPort}, {protoUDP, s.UDPPort}} {
		if to.port == 0 {
			continue
		}
		rule := []term{protoIs{to.proto}, tproxyTo{to.port}}
		if s.Established == Keep {
			rule = append(rule, setCtMark{s.Mark, s.Mask})
		}
		rules = append(rules, append(rule, setMark{s.Mark, s.Mask}, countIn{countNew}, accept))
	}
	if s.Fail == Closed {
		rules = append(rules, []term{countIn{countRefused}, drop})
	}
	return rules
}

func (s Spec) protos() []byte {
	var protos []byte
	if s.TCPPort != 0 {
		protos = append(protos, protoTCP)
	}
	if s.UDPPort != 0 {
		protos = append(protos, protoUDP)
	}
	return protos
}

func (c *chain) add(rules ...[]term) { c.rules = append(c.rules, rules...) }
