package rules

import "time"

// Chains of a zone.
const (
	chainZone      = "zone"       // what arrives
	chainZoneOut   = "zone_out"   // what sluice sends to clients
	chainZoneKnown = "zone_known" // connections that sluice has already
	chainAnswers   = "answers"    // what the kernel forwards to clients
)

// Sets of the UDP packets that answer what the kernel forwards.
const (
	setAnswers4 = "answers4"
	setAnswers6 = "answers6"
)

// Bounds of these sets. A member lives as long as the tracker's entry of a flow
// that was answered (nf_conntrack_udp_timeout_stream); a set that is full takes in
// no more.
const (
	answersLive = 2 * time.Minute
	answersMost = 65535
)

// zoning has the client's leg tracked in a zone of its own: what divert would
// take, chosen by the same conditions before the tracker sees it, and what sluice
// sends to clients. Sluice's own leg, known by the mark of its sockets, stays with
// all others, so that what masquerades or filters these serves it too.
//
// A TCP segment that neither opens a connection nor belongs to one that sluice
// accepted stays there also, and history decides, as for a client's datagram
// that answers what the kernel forwards. To fail open, what no listener would
// take is left to be forwarded, and masqueraded, as if there were no rules.
func zoning(s Spec) []chain {
	if !s.zoned() {
		return nil
	}
	chains := []chain{zoneKnown(s), zone(s), zoneOut(s)}
	if s.UDPPort != 0 {
		chains = append(chains, answers())
	}
	return chains
}

// zoneKnown takes in connections that sluice accepted. Sockets in TIME_WAIT and
// requests show neither wildcard nor mark (nft_socket_eval), and are taken in.
func zoneKnown(s Spec) chain {
	c := chain{name: chainZoneKnown}
	c.add([]term{wildcardSocket{}, goBack}, []term{socketMarkIs{s.OwnMark}, goBack}, []term{setZone{Zone}, accept})
	return c
}

func zone(s Spec) chain {
	c := chain{name: chainZone, kind: "filter", hook: "prerouting", priority: priorityRaw}
	c.add([]term{ifaceIs{"lo", false}, goBack}) // tracked already, when it was sent
	if len(s.Ifaces) > 0 {
		c.add([]term{ifaceNotIn{setIfaces}, goBack})
	}
	c.add(errorsOf(chainZoneKnown)...)
	if s.UDPPort != 0 {
		c.add([]term{tooBig6OfUDP{}, setZone{Zone}, accept})
	}
	c.add([]term{protoNotIn{s.protos()}, goBack})
	c.add(running(s, chainZoneKnown)...)
	if s.TCPPort != 0 {
		c.add([]term{protoIs{protoTCP}, notOpening{}, goBack})
	}
	c.add([]term{toGateway{}, goBack})
	if s.UDPPort != 0 {
		for _, family := range bothFamilies {
			c.add([]term{familyIs{family}, protoIs{protoUDP}, answersIn{family}, noteAnswer{family, false}, goBack})
		}
	}
	c.add(between(s)...)
	c.add(leavingBy(s)...)
	c.add(targets(s)...)
	c.add(chooseZone(s)...)
	return c
}

// chooseZone leaves, to fail open, what tproxy finds no listener for.
func chooseZone(s Spec) [][]term {
	if s.Fail == Closed {
		return [][]term{{setZone{Zone}}}
	}
	var rules [][]term
	for _, to := range s.listeners() {
		rules = append(rules, []term{protoIs{to.proto}, tproxyTo{to.port}, setZone{Zone}})
	}
	return rules
}

// zoneOut knows what goes to clients by its source, as SYN cookies and what
// sockets in TIME_WAIT send show nothing else; ICMP errors that sluice passes on
// bear its mark. Other transparent programs' packets to clients are taken in too,
// and so are their answers.
func zoneOut(s Spec) chain {
	c := chain{name: chainZoneOut, kind: "filter", hook: "output", priority: priorityRaw}
	c.add([]term{outIs{"lo"}, goBack})
	if len(s.Ifaces) > 0 {
		c.add([]term{outNotIn{setIfaces}, goBack})
	}
	for _, family := range bothFamilies {
		c.add([]term{icmpError{family}, socketMarkIs{s.OwnMark}, setZone{Zone}, accept})
	}
	c.add([]term{markIs{s.OwnMark, s.OwnMark}, goBack}) // a socket in TIME_WAIT too, which has no mark for nft_socket_eval
	c.add([]term{socketMarkIs{s.OwnMark}, goBack})
	c.add([]term{protoNotIn{s.protos()}, goBack})
	c.add([]term{sourceOfOthers{}, setZone{Zone}})
	return c
}

// answers notes what would answer the UDP packets that the kernel forwards to
// clients of flows that others began: nothing else tells such answers from a
// client's datagrams that are new before they are tracked. A client's own flows
// that are under way are diverted from its next datagram on, Keep or not: they
// bear the same address and port then, and the same NAT.
func answers() chain {
	c := chain{name: chainAnswers, kind: "filter", hook: "forward", priority: priorityLast}
	c.add([]term{protoNotIn{[]byte{protoUDP}}, goBack}, []term{outNotIn{setIfaces}, goBack})
	for _, family := range bothFamilies {
		c.add([]term{familyIs{family}, protoIs{protoUDP}, ctOriginal{}, noteAnswer{family, true}})
	}
	return c
}

func answersSet(family byte) string {
	if family == familyIPv6 {
		return setAnswers6
	}
	return setAnswers4
}

func answerSets() []set {
	return []set{
		{name: setAnswers4, kind: kindFlow4, live: answersLive, most: answersMost},
		{name: setAnswers6, kind: kindFlow6, live: answersLive, most: answersMost},
	}
}
