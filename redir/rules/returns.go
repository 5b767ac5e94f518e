package rules

import "cmp"

// Chains of what returns to addresses that sluice's sockets bear.
const (
	chainReturns  = "returns"      // of UDP: flows of sluice's own
	chainReturned = "returned"     // of UDP: to the listeners for them
	chainLost     = "lost"         // of TCP: flows of sluice's own that no socket has
	chainEnded    = "ended"        // of TCP: to the listener, which resets them
	chainOwnFlows = "remember_own" // notes flows of sluice's own
	chainBack     = "back"         // what the gateway's own servers answer to those
)

// Sets of addresses that sluice's sockets bear.
const (
	setSources4 = "sources4"
	setSources6 = "sources6"
)

// returns hands over what others send to the addresses that sluice's sockets
// bear, at whichever interface it arrives: of TCP, and of UDP to addresses that
// were named, by the socket; of UDP to a client's, for which there is none, by the
// flow.
func returns(s Spec) [][]term {
	if !s.foreign() {
		return nil
	}
	rules := append(running(s, chainOwned), toSources(s, chainOwned)...)
	if s.returnsUDP() {
		rules = append(rules, []term{protoIs{protoUDP}, ctReply{}, jump(chainReturns)})
	}
	return rules
}

// returnsUDP tells whether sluice takes in UDP replies to clients' addresses.
func (s Spec) returnsUDP() bool {
	return s.Sources.Clients && !s.Sources.KernelReplies && s.takesReplies() && s.Via == TProxy
}

// takesReplies tells whether there are listeners for UDP replies.
func (s Spec) takesReplies() bool { return s.returnPort(familyIPv4)|s.returnPort(familyIPv6) != 0 }

// returnPort is that of a family's listeners for UDP replies; 0: it has none.
func (s Spec) returnPort(family byte) uint16 {
	port := s.Sources.UDPPort
	if family == familyIPv6 {
		port = cmp.Or(s.Sources.UDPPort6, port)
	}
	port = cmp.Or(port, s.portOf(protoUDP))
	for _, l := range s.Listeners {
		if l.UDP && port == 0 && l.Addr.Addr().Is6() == (family == familyIPv6) {
			port = l.Addr.Port()
		}
	}
	return port
}

// toSources jumps to owned with UDP packets to the addresses that were named.
func toSources(s Spec, owned jump) [][]term {
	if len(s.Sources.Addrs) == 0 || !s.takesReplies() {
		return nil
	}
	return [][]term{
		{protoIs{protoUDP}, destIn{familyIPv4, setSources4, false}, transparentSocket{}, owned},
		{protoIs{protoUDP}, destIn{familyIPv6, setSources6, false}, transparentSocket{}, owned},
	}
}

// ownFlow goes to next with what belongs to a flow of sluice's own.
func ownFlow(s Spec, next goTo) [][]term {
	return [][]term{{ctMarkIs{s.CTOwn, s.CTOwnMask}, next}, {ctLabelIs{ownLabel}, next}}
}

// returnChains are those that returns, againReturns and ownSent jump to.
func returnChains(s Spec) []chain {
	if !s.zoned() {
		return nil
	}
	chains := []chain{ownFlows(s), back(s)}
	if s.returnsUDP() {
		returned, returns := chain{name: chainReturned}, chain{name: chainReturns}
		for _, family := range bothFamilies {
			if port := s.returnPort(family); port != 0 {
				returned.add([]term{protoIs{protoUDP}, tproxyAt{family, port}, setMark{s.Mark, s.Mask}, countIn{countReturned}, accept})
			}
		}
		returned.add(refuse(s)...)
		returns.add(ownFlow(s, chainReturned)...)
		chains = append(chains, returned, returns)
	}
	if s.carries(protoTCP) || !s.diverts() {
		ended, lost := chain{name: chainEnded}, chain{name: chainLost}
		if port := s.portOf(protoTCP); port != 0 {
			ended.add([]term{protoIs{protoTCP}, tproxyTo{port}, setMark{s.Mark, s.Mask}, countIn{countRunning}, accept})
		}
		ended.add(refuse(s)...)
		lost.add(ownFlow(s, chainEnded)...)
		chains = append(chains, ended, lost)
	}
	return chains
}

// ownFlows notes in the conntrack entry that a flow is sluice's own, as remember
// does. What is to answer by UDP from where clients are is noted too.
func ownFlows(s Spec) chain {
	c := chain{name: chainOwnFlows}
	c.add([]term{ctReply{}, accept}) // of a flow that others began
	if s.carries(protoUDP) {
		for _, family := range bothFamilies {
			c.add([]term{familyIs{family}, protoIs{protoUDP}, outIn{setIfaces}, answerTo(family)})
		}
	}
	c.add([]term{ctMarkIs{s.CTOwn, s.CTOwnMask}, accept})
	c.add([]term{setCtMark{s.CTOwn, s.CTOwnMask}}, []term{setCtLabel{ownLabel}}, []term{accept})
	return c
}

// againReturns is returns in the last chain, where NAT is undone: sockets of IPv6
// are found there alone, behind a masquerade (nf_sk_lookup_slow_v6 does not ask
// the tracker). TCP of sluice's own that no socket has any more is not forwarded to
// the client, who may have a connection of these addresses and ports with sluice:
// the listener resets it.
func againReturns(s Spec) [][]term {
	if !s.foreign() {
		return nil
	}
	rules := append(running(s, chainAgain), toSources(s, chainAgain)...)
	if s.returnsUDP() {
		for _, own := range []term{ctMarkIs{s.CTOwn, s.CTOwnMask}, ctLabelIs{ownLabel}} {
			rules = append(rules, []term{protoIs{protoUDP}, ctReply{}, own, handedOver{}, setMark{s.Mark, s.Mask}, accept})
		}
	}
	if s.zoned() && (s.carries(protoTCP) || !s.diverts()) {
		rules = append(rules, []term{protoIs{protoTCP}, notOpening{}, ctReply{}, jump(chainLost)})
	}
	return rules
}

// ownSent notes the flows of sluice's own that bear a client's address, and turns
// back what the gateway's own servers answer to one: it would go to the client.
func ownSent(s Spec) [][]term {
	if !s.zoned() {
		return nil
	}
	known := []term{socketMarkIs{s.OwnMark}, ctMarkIs{s.CTOwn, s.CTOwnMask}}
	if len(s.Ingress()) > 0 {
		known = append(known, outNotIn{setIfaces})
	}
	return [][]term{
		append(known, accept), // most packets
		{socketMarkIs{s.OwnMark}, sourceOfOthers{}, goTo(chainOwnFlows)},
		{ctReply{}, jump(chainBack)},
	}
}

// back marks what the gateway's own servers answer to clients' addresses.
func back(s Spec) chain {
	c := chain{name: chainBack}
	protos := []byte{protoTCP, protoUDP}
	if !s.returnsUDP() {
		protos = protos[:1]
	}
	c.add([]term{ctZoneIs{Zone}, goBack}, []term{protoNotIn{protos}, goBack})
	for _, own := range []term{ctMarkIs{s.CTOwn, s.CTOwnMask}, ctLabelIs{ownLabel}} {
		c.add([]term{own, setMark{s.back().mark, s.back().mask}, accept})
	}
	return c
}

// besideRedirect are the chains by which what returns to foreign addresses, or
// goes to listeners there, is handed over where redirect takes clients in: with a
// policy rule and a route, as tproxy has them.
func besideRedirect(s Spec) []chain {
	if !s.routed() {
		return nil
	}
	in := chain{name: "returning", kind: "filter", hook: "prerouting", priority: priorityMangle}
	in.add(errorsOf(chainOwned)...)
	in.add(listening(s)...)
	in.add(returns(s)...)
	again := lastOfListeners(s)
	again.add(againReturns(s)...)
	out := chain{name: "sent", kind: "route", hook: "output", priority: priorityLast}
	out.add(unmarked(s)...)
	all := []chain{owned(s, chainOwned, countIn{countRunning}), owned(s, chainAgain), in, again, out}
	return append(all, escapes(s)...)
}
