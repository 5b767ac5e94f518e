package rules

import (
	"fmt"
	"time"
)

// Chains of a zone.
const (
	chainZone          = "zone"            // what arrives
	chainZoneOut       = "zone_out"        // what sluice sends to clients
	chainZoneKnown     = "zone_known"      // connections that sluice has already
	chainZoneErrors    = "zone_errors"     // ICMP errors that arrive
	chainZoneErrorsOut = "zone_errors_out" // those that sluice sends
	chainCookie        = "cookie"          // handshakes of which no socket remembers
	chainAnswers       = "answers"         // what the kernel forwards to clients
)

// Sets that packets fill, of IPv4; those of IPv6 end in 6.
const (
	setAnswers4 = "answers4" // UDP that answers what the kernel forwards, or sluice sends
	setCookies4 = "cookies4" // TCP that would answer a SYN cookie
)

// Bounds of these sets. An answer lives as long as the tracker's entry of a flow
// that was answered (nf_conntrack_udp_timeout_stream), a cookie until its answer
// has come twice late. A set that is full takes in no more.
const (
	answersLive = 2 * time.Minute
	cookiesLive = 3 * time.Second
	flowsMost   = 1 << 18
)

// zoning has the client's leg tracked in a zone of its own: what divert would
// take, chosen by the same conditions before the tracker sees it, and what sluice
// sends to clients. Sluice's own leg, known by the mark of its sockets, stays with
// all others, so that what masquerades or filters these serves it too.
//
// A TCP segment that neither opens a connection nor belongs to one that sluice
// accepted, or is about to by a SYN cookie, stays there also, and history decides,
// as for a client's datagram that answers what the kernel forwards. To fail open,
// what no listener would take is left to be forwarded, and masqueraded, as if there
// were no rules.
func zoning(s Spec) []chain {
	if !s.zoned() || !s.diverts() && len(s.Listeners) == 0 {
		return nil
	}
	chains := append(zoneWays(s), zoneKnown(s), zoneErrors(s), zoneErrorsOut(s))
	if s.carries(protoTCP) {
		chains = append(chains, cookie())
	}
	if s.decides() {
		chains = append(chains, decideZone(s)...)
	}
	chains = append(chains, zone(s), zoneOut(s))
	if s.carries(protoUDP) {
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

// zoneErrors takes in ICMP errors about what sluice sent to clients.
func zoneErrors(s Spec) chain {
	c := chain{name: chainZoneErrors}
	c.add(errorsOf(chainZoneKnown)...)
	if s.carries(protoUDP) {
		c.add([]term{tooBig6OfUDP{}, setZone{Zone}})
	}
	return c
}

// zoneErrorsOut takes in those that sluice passes on, by its mark.
func zoneErrorsOut(s Spec) chain {
	c := chain{name: chainZoneErrorsOut}
	c.add([]term{toGateway{}, goBack})
	for _, family := range bothFamilies {
		c.add([]term{icmpError{family}, socketMarkIs{s.OwnMark}, setZone{Zone}})
	}
	return c
}

func zone(s Spec) chain {
	c := chain{name: chainZone, kind: "filter", hook: "prerouting", priority: priorityRaw}
	c.add([]term{ifaceIs{"lo", false}, goBack}) // tracked already, when it was sent
	for _, match := range addressed(s) {
		c.add(append(match, transparentSocket{}, setZone{Zone}, accept))
	}
	if s.diverts() && len(s.Ingress()) > 0 {
		c.add([]term{ifaceNotIn{setIfaces}, goBack})
	}
	c.add([]term{protoNotIn{bothProtos}, goTo(chainZoneErrors)})
	if !s.diverts() {
		return c
	}
	if len(s.protos()) == 1 {
		c.add([]term{protoNotIn{s.protos()}, goBack})
	}
	c.add(running(s, chainZoneKnown)...)
	if s.carries(protoTCP) {
		for _, family := range bothFamilies {
			c.add([]term{familyIs{family}, protoIs{protoTCP}, notOpening{}, flowIn{family, protoTCP, flowSet(setCookies4, family)}, setZone{Zone}, accept})
		}
		c.add([]term{protoIs{protoTCP}, notOpening{}, goBack})
	}
	c.add([]term{toGateway{}, goBack})
	if s.carries(protoUDP) {
		for _, family := range bothFamilies {
			c.add([]term{familyIs{family}, protoIs{protoUDP}, flowIn{family, protoUDP, flowSet(setAnswers4, family)},
				noteFlow{family, protoUDP, flowSet(setAnswers4, family), false}, goBack})
		}
	}
	c.add(elsewhere(s)...)
	c.add(between(s)...)
	c.add(leavingBy(s)...)
	c.add(targets(s)...)
	if s.decides() {
		c.add([]term{goTo(chainZoneDecide)})
		return c
	}
	c.add(chooseZones(s)...)
	return c
}

// chooseZones chooses the zone of what nothing has left alone.
func chooseZones(s Spec) (rules [][]term) {
	if s.Fail == Open {
		rules = byWay(s, zoneWay)
	}
	return append(rules, chooseZone(s, s.TCPPort, s.UDPPort)...)
}

func zoneWay(i int) string { return fmt.Sprint(chainZone, "_", wayChain(i)) }

// zoneWays are where byWay leads, to fail open.
func zoneWays(s Spec) (chains []chain) {
	for i, w := range s.Ways {
		if s.Fail == Open {
			c := chain{name: zoneWay(i)}
			c.add(chooseZone(s, w.port(protoTCP), w.port(protoUDP))...)
			chains = append(chains, c)
		}
	}
	return chains
}

// chooseZone leaves, to fail open, what tproxy finds no listener for.
func chooseZone(s Spec, tcp, udp uint16) [][]term {
	if s.Fail == Closed {
		return [][]term{{setZone{Zone}}}
	}
	var rules [][]term
	for _, to := range inletsOf(tcp, udp) {
		rules = append(rules, []term{protoIs{to.proto}, tproxyTo{to.port}, setZone{Zone}})
	}
	return rules
}

// zoneOut knows what goes to clients by its source, as SYN cookies and what
// sockets in TIME_WAIT send show nothing else. Other transparent programs' packets
// to clients are taken in too, and so are their answers. What bears the fwmark,
// which the kernel may copy (tcp_fwmark_accept), was routed by it, and will be by
// another.
func zoneOut(s Spec) chain {
	toClient := []term{sourceOfOthers{}, setZone{Zone}}
	if s.carries(protoTCP) {
		toClient = append(toClient, protoIs{protoTCP}, jump(chainCookie))
	}
	c := chain{name: chainZoneOut, kind: "filter", hook: "output", priority: priorityRaw}
	c.add([]term{protoNotIn{bothProtos}, goTo(chainZoneErrorsOut)})
	c.add([]term{markIs{s.OwnMark, s.OwnMark}, goBack}) // a socket in TIME_WAIT too, which has no mark for nft_socket_eval
	c.add([]term{socketMarkIs{s.OwnMark}, goBack})
	c.add([]term{markIs{s.Mark, s.Mask}, toGateway{}, goBack}, append([]term{markIs{s.Mark, s.Mask}}, toClient...))
	c.add([]term{outIs{"lo"}, goBack})
	for _, l := range s.Listeners {
		for _, proto := range l.protos() {
			c.add([]term{endpoint{l.Addr, proto, true}, setZone{Zone}, accept})
		}
	}
	if !s.diverts() {
		return c
	}
	if len(s.protos()) == 1 {
		c.add([]term{protoNotIn{s.protos()}, goBack})
	}
	if len(s.Ingress()) > 0 {
		c.add([]term{outNotIn{setIfaces}, goBack})
	}
	c.add(toClient)
	return c
}

// cookie notes what would answer a SYN cookie: no socket has that until the
// listener has seen it. The kernel ties each other SYN-ACK to its request
// (tcp_make_synack).
func cookie() chain {
	c := chain{name: chainCookie}
	c.add([]term{protoIs{protoTCP}, synAck{}, handedOver{}, accept})
	for _, family := range bothFamilies {
		c.add([]term{familyIs{family}, protoIs{protoTCP}, synAck{}, noteFlow{family, protoTCP, flowSet(setCookies4, family), true}})
	}
	c.add([]term{accept})
	return c
}

// answers notes what would answer the UDP packets that the kernel forwards to
// clients of flows that others began, as ownFlows does what answers sluice from
// where clients are: nothing else tells such answers from a client's datagrams that
// are new before they are tracked. A client's own flows that are under way are
// diverted from its next datagram on, Keep or not: they bear the same address and
// port then, and the same NAT.
func answers() chain {
	c := chain{name: chainAnswers, kind: "filter", hook: "forward", priority: priorityLast}
	c.add([]term{protoNotIn{[]byte{protoUDP}}, goBack}, []term{outNotIn{setIfaces}, goBack})
	for _, family := range bothFamilies {
		c.add([]term{familyIs{family}, protoIs{protoUDP}, ctOriginal{}, answerTo(family)})
	}
	return c
}

// answerTo notes what would answer a UDP packet.
func answerTo(family byte) noteFlow {
	return noteFlow{family, protoUDP, flowSet(setAnswers4, family), true}
}

// flowSet is the family's set of two, by the name of IPv4's.
func flowSet(name4 string, family byte) string {
	if family == familyIPv6 {
		return name4[:len(name4)-1] + "6"
	}
	return name4
}

// zoneSets are the sets that packets fill.
func zoneSets(s Spec) (sets []set) {
	add := func(name4 string, live time.Duration) {
		for _, family := range bothFamilies {
			kind := kindFlow4
			if family == familyIPv6 {
				kind = kindFlow6
			}
			sets = append(sets, set{name: flowSet(name4, family), kind: kind, live: live, most: flowsMost})
		}
	}
	if s.carries(protoUDP) {
		add(setAnswers4, answersLive)
	}
	if s.carries(protoTCP) {
		add(setCookies4, cookiesLive)
	}
	return sets
}
