package rules

import "errors"

// priorityRaw comes before the connection tracker and after fragments are put
// together (NF_IP_PRI_RAW, linux/netfilter_ipv4.h).
const priorityRaw = -300

// Chains of NoTrack.
const (
	chainUntrack     = "untrack"      // what arrives
	chainUntrackOwn  = "untrack_own"  // what sluice sends
	chainUntrackKnow = "untrack_know" // connections that sluice has already
)

// untracking keeps the connection tracker from entries for what is diverted: the
// client's leg, which the same conditions choose as divert, and sluice's own, by
// the mark of its sockets; the answers of both too, and ICMP errors about them,
// which the tracker would call invalid, knowing no connection that they are about.
//
// A TCP segment that neither opens a connection nor belongs to one of sluice's
// stays with the tracker, and history decides: so flows under way are kept, and
// servers behind the gateway can answer. Of UDP nothing tells such datagrams from
// those that are new.
//
// Where the gateway masquerades, the tracker does not know of sluice's ports any
// more and may give one to a flow that is forwarded, whose answers would then be
// taken for sluice's (doctor says so).
func untracking(s Spec) []chain {
	if !s.NoTrack {
		return nil
	}
	know := chain{name: chainUntrackKnow}
	know.add([]term{wildcardSocket{}, goBack}, []term{noTrack{}, accept})

	in := chain{name: chainUntrack, kind: "filter", hook: "prerouting", priority: priorityRaw}
	in.add(errorsOf(chainUntrackKnow)...)
	for _, family := range []byte{familyIPv4, familyIPv6} {
		in.add([]term{icmpError{family}, toGateway{}, socketMarkIs{s.OwnMark}, noTrack{}, accept})
	}
	in.add(listeningUntracked(s)...)
	out := chain{name: chainUntrackOwn, kind: "filter", hook: "output", priority: priorityRaw}
	out.add([]term{markIs{s.OwnMark, s.OwnMark}, noTrack{}, accept}) // a socket in TIME_WAIT too, which has no mark for nft_socket_eval
	out.add([]term{socketMarkIs{s.OwnMark}, noTrack{}, accept})
	out.add(listenersUntracked(s)...)
	if !s.diverts() {
		in.add([]term{toGateway{}, socketMarkIs{s.OwnMark}, noTrack{}, accept})
		return []chain{know, in, out}
	}

	if s.carries(protoUDP) {
		in.add([]term{tooBig6OfUDP{}, noTrack{}, accept})
	}
	in.add([]term{protoNotIn{s.protos()}, goBack})
	in.add([]term{toGateway{}, socketMarkIs{s.OwnMark}, noTrack{}, accept})
	in.add(ingress(s)...)
	in.add([]term{toGateway{}, goBack})
	in.add(elsewhere(s)...)
	in.add(between(s)...)
	in.add(leavingBy(s)...)
	in.add(targets(s)...)
	in.add(running(s, chainUntrackKnow)...)
	if s.carries(protoTCP) {
		in.add([]term{protoIs{protoTCP}, notOpening{}, goBack})
	}
	var chains []chain
	if s.decides() {
		chains = decideUntracked(s)
		in.add([]term{goTo(chainUntrackDecide)})
	} else {
		in.add([]term{noTrack{}})
	}

	out.add([]term{protoNotIn{s.protos()}, goBack})
	if len(s.Ingress()) > 0 {
		out.add([]term{outNotIn{setIfaces}, goBack})
	}
	out.add([]term{sourceOfOthers{}, noTrack{}})
	return append(chains, know, in, out)
}

// tooBigsUntracked is tooBigs where no flow is known: all UDP of these interfaces
// is diverted.
func tooBigsUntracked(s Spec) [][]term {
	if !s.carries(protoUDP) || !s.NoTrack {
		return nil
	}
	return [][]term{{tooBig6OfUDP{}, setMark{s.Mark, s.Mask}, countIn{countRunning}, accept}}
}

func checkNoTrack(s Spec) error {
	switch {
	case !s.NoTrack:
	case s.Via == Redirect:
		return errors.New("notrack: REDIRECT needs the connection tracker, which remembers where a connection was going: use --via tproxy, or leave --notrack out")
	case s.Fail == Open:
		return errors.New("notrack: with fail open, what is forwarded while sluice does not listen would not be masqueraded: use --fail closed, or leave --notrack out")
	case s.carries(protoUDP) && len(s.ingressOf(protoUDP)) == 0:
		return errors.New("notrack: nothing tells a client's datagram from an answer to one that was left alone: name the interfaces where clients are, as --iface lan0, or divert TCP alone")
	case s.Output:
		return errors.New("notrack: the gateway's own traffic is known again by its conntrack entry: leave --output or --notrack out")
	}
	return nil
}
