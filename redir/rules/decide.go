package rules

import (
	"fmt"
	"slices"
)

// Chains of decisions.
const (
	chainDecide    = "decide"     // what arrives
	chainDecideOut = "decide_out" // what the gateway sends
	chainLeft      = "left"       // flows that the kernel forwards
	chainSendRound = "send_round" // what the gateway sends, to prerouting

	chainZoneDecide    = "zone_decide"
	chainZoneChoose    = "zone_choose"
	chainUntrackDecide = "untrack_decide"
	chainUntrackChosen = "untrack_chosen"
)

// Conntrack's mark of flows that the kernel forwards by a decision: a bit as
// DefaultCTMark.
const (
	DefaultCTLeft     = 0x40000000
	DefaultCTLeftMask = 0x40000000
)

// leftLabel is the conntrack label of the same.
const leftLabel = ownLabel + 1

// leftAlone ends the table's part in a flow that was left to the kernel, before
// anything else is asked: most packets of a gateway that forwards much, and each
// rule is a share of what forwarding them costs. So a decision lasts as long as the
// flow, whatever is decided later of others like it. Where somebody saved a whole
// mark over the bit, wasLeft knows it yet. (To match a label takes three times as
// long as a mark, for which nft_do_chain has code of its own.)
func leftAlone(s Spec) [][]term {
	if !s.decides() {
		return nil
	}
	return [][]term{{ctMarkIs{s.CTLeft, s.CTLeftMask}, accept}}
}

// wasLeft knows it by the label.
func wasLeft(s Spec) [][]term {
	if !s.decides() {
		return nil
	}
	return [][]term{{ctLabelIs{leftLabel}, accept}}
}

// left notes in the conntrack entry that the kernel forwards the flow.
func left(s Spec) chain {
	c := chain{name: chainLeft}
	c.add([]term{countIn{countLeft}})
	if s.Via == TProxy { // a nat chain sees a flow once
		c.add([]term{setCtMark{s.CTLeft, s.CTLeftMask}}, []term{setCtLabel{leftLabel}})
	}
	c.add([]term{accept})
	return c
}

// decider is a place where decisions are asked.
type decider struct {
	chain           string
	out             bool // of the gateway's own traffic, which arrives by no interface
	forward, divert term // each leaves the chain for good
}

// deciding are the chains that decide of what arrives and of what the gateway
// sends: behind what knows the history of flows, so that those that are diverted
// stay so.
func deciding(s Spec) []chain {
	if !s.decides() {
		return nil
	}
	chains := []chain{left(s), delivering(s)}
	c := chain{name: chainDecide}
	if s.Output && s.Via == TProxy {
		c.add([]term{ifaceIs{"lo", false}, goTo(chainDeliver)}) // decided when it was sent
	}
	c.add(diverted(s, goTo(chainDeliver))...)
	chains = append(chains, s.decide(c, decider{chainDecide, false, goTo(chainLeft), goTo(chainDeliver)})...)
	if !s.Output {
		return chains
	}
	out := chain{name: chainDecideOut}
	round := chain{name: chainSendRound}
	if s.Via == Redirect {
		round.add(deliver(s)...)
	} else {
		round.add(sendRound(s)...)
		out.add(diverted(s, goTo(chainSendRound))...)
	}
	chains = append(chains, round)
	return append(chains, s.decide(out, decider{chainDecideOut, true, goTo(chainLeft), goTo(chainSendRound)})...)
}

// delivering is handOver as a chain.
func delivering(s Spec) chain {
	c := chain{name: chainDeliver}
	c.add(handOver(s)...)
	return c
}

// diverted goes to next with what belongs to a flow that is diverted already.
func diverted(s Spec, next goTo) (rules [][]term) {
	if s.Via == Redirect {
		return nil
	}
	rules = [][]term{{ctMarkIs{s.CTMark, s.CTMask}, next}, {ctLabelIs{rememberLabel}, next}}
	if s.zoned() {
		rules = append(rules, ownFlow(s, next)...)
	}
	return rules
}

// decide fills the chain, and returns it behind those that it jumps to.
func (s Spec) decide(c chain, at decider) []chain {
	var chains []chain
	sets := s.decisionSets()
	for i, d := range s.Decisions {
		verdict := at.divert
		if d.Forward {
			verdict = at.forward
		}
		var holds [][]term
		for _, arrives := range s.arrives(d, at.out, sets) {
			for _, rest := range sets.holds(i, d) {
				holds = append(holds, slices.Concat(arrives, rest))
			}
		}
		if !d.Invert {
			c.add(each(holds, verdict)...)
			continue
		}
		not := chain{name: fmt.Sprint(at.chain, "_not", i+1)}
		not.add(append(each(holds, goBack), []term{verdict})...)
		chains = append(chains, not)
		c.add([]term{jump(not.name)})
	}
	c.add([]term{at.divert})
	return append(chains, c)
}

// each ends rules in the same way.
func each(rules [][]term, end term) (all [][]term) {
	for _, rule := range rules {
		all = append(all, append(slices.Clone(rule), end))
	}
	return all
}

// arrives are the matches, a rule's each, of the networks and interfaces that a
// decision is about; none: nothing that is diverted.
func (s Spec) arrives(d Decision, out bool, sets *decisionSets) (rules [][]term) {
	protos := s.protos()
	if out {
		protos = s.restProtos()
	}
	byProto := map[byte][]term{}
	var about []byte
	for _, proto := range protos {
		if ifaces, not, some := s.arrivesBy(d, proto, out); some && d.carries(proto) {
			byProto[proto] = sets.among(ifaces, not)
			about = append(about, proto)
		}
	}
	if len(about) == len(protos) && len(about) > 0 && slices.EqualFunc(byProto[about[0]], byProto[about[len(about)-1]], sameTerm) {
		return [][]term{byProto[about[0]]}
	}
	for _, proto := range about {
		rules = append(rules, append([]term{protoIs{proto}}, byProto[proto]...))
	}
	return rules
}

func sameTerm(a, b term) bool { return a.nft() == b.nft() }

// arrivesBy are the interfaces by which comes what goes to a protocol's inlets, or
// by which it does not; none: it comes by any. It reports false where there are no
// such inlets.
func (s Spec) arrivesBy(d Decision, proto byte, out bool) (ifaces []string, not, some bool) {
	if d.Inlets == nil {
		return nil, false, true
	}
	var in, others []string
	for _, w := range s.Ways {
		switch {
		case !w.carries(proto) || out:
		case d.takes(w.Port, proto):
			in = append(in, w.Ifaces...)
		default:
			others = append(others, w.Ifaces...)
		}
	}
	if s.rest(proto) != 0 && d.takes(s.rest(proto), proto) {
		return interfaces(others), true, true
	}
	return interfaces(in), false, len(in) > 0
}

// decideZone and decideUntracked are asked before the connection tracker, of which
// TCP segments open a connection and of all UDP: nothing tells there what was
// decided of a flow before.
func decideZone(s Spec) []chain {
	chosen := chain{name: chainZoneChoose}
	chosen.add(chooseZones(s)...)
	return append([]chain{chosen}, s.decide(chain{name: chainZoneDecide}, decider{chainZoneDecide, false, accept, goTo(chainZoneChoose)})...)
}

func decideUntracked(s Spec) []chain {
	chosen := chain{name: chainUntrackChosen}
	chosen.add([]term{noTrack{}})
	return append([]chain{chosen}, s.decide(chain{name: chainUntrackDecide}, decider{chainUntrackDecide, false, accept, goTo(chainUntrackChosen)})...)
}
