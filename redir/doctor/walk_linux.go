package doctor

import (
	"fmt"

	"sluice/redir/firewall"
	"sluice/redir/rules"
)

const protoTCP, protoUDP = 6, 17

// walk collects what the rulesets do to the packets of a gateway.
type walk struct {
	ruleset    *firewall.Ruleset
	ours       firewall.Ours
	mark, mask uint32 // of diverted packets
	port       uint16 // of the listener, for redirected ones
	installed  bool   // rules of sluice's, or made by hand
	untracked  bool   // what is diverted, and what sluice sends
	isUnsure   bool   // whether packets are to be diverted at all

	diverted, own findings
	forward       judge
}

// ingress walks what one interface brings of one family, and the answers.
func (w *walk) ingress(v gatewayView) (diverts bool) {
	for _, protocol := range []byte{protoTCP, protoUDP} {
		p := firewall.Packet{
			IPv6: v.ipv6, Protocol: protocol, New: true, Untracked: w.untracked, In: v.device(), Out: firewall.NoDevice,
			Source: v.clients, Elsewhere: append(firewall.Undiverted(), v.own...),
			Mark: firewall.Exactly(0), ConnMark: firewall.Exactly(0), FWMark: w.mark, FWMask: w.mask,
		}
		first := w.ruleset.Divert(p, w.ours, w.port)
		if first.Leaves != nil {
			continue // not diverted, by the rules that are there
		}
		diverts = true
		what := packetsOf(protocol, v)
		w.judgeWay(first, what)
		p.New, p.ConnMark = false, first.Packet.ConnMark
		w.judgeWay(w.ruleset.Divert(p, w.ours, w.port), what)
		w.missing(p)
		w.answers(p, v)
	}
	return diverts
}

// judgeWay judges each chain on the way of diverted packets.
func (w *walk) judgeWay(way firewall.Way, what packets) {
	for _, s := range way.Steps {
		if !s.Known {
			w.diverted.find(Warn, fmt.Sprintf("chain %s is too long to be followed to its end", s.Base), "")
		}
		for _, stop := range s.Stops {
			status := severityOf(s.Passage, stop)
			isTied := s.Tied && (stop.Act == firewall.ActUnmarks || stop.Act == firewall.ActTakes)
			if status == Fail && (isTied || w.isUnsure) {
				status = Warn
			}
			if status == OK {
				continue
			}
			r := remedyFor(stop, s.Before || s.Tied && stop.Act != firewall.ActUnmarks, way.Packet, w.mark, w.mask)
			w.diverted.add(finding{status, r, s, stop}, what)
		}
	}
}

// severityOf: all that is left stopped is fatal, some is not. What few are
// stopped for where they come from is meant.
func severityOf(p firewall.Passage, stop firewall.Stop) Status {
	switch {
	case stop.Act == firewall.ActUnmarks && stop.Amount >= firewall.Most:
		return Fail
	case p.Passes <= firewall.Few && stop.Amount >= firewall.Some:
		return Fail
	case stop.Amount == firewall.Few && (stop.Source || p.Passes <= firewall.Few):
		return OK
	}
	return Warn
}

// answers walks what sluice sends to a client.
func (w *walk) answers(p firewall.Packet, v gatewayView) {
	p.In, p.Out, p.Reply, p.New = firewall.NoDevice, v.device(), true, false
	p.Source, p.Destination, p.Elsewhere = nil, v.clients, nil
	p.Ports = []firewall.Ports{{Low: 1024, High: 65535}}
	p.Mark, p.FWMask = firewall.Exactly(0), 0
	what := packetsOf(p.Protocol, v)
	what.side = "answers of "
	remedy := func(c *firewall.Chain) remedy { return w.acceptReplies(c, v) }
	passages := w.ruleset.Pass(firewall.Output, p, w.ours)
	w.judgeOwn(passages, what, remedy)
	for _, passage := range passages {
		if !w.ruleset.Guards(w.ours) && passage.Mark.Is(w.mark, w.mask) == firewall.All {
			r := remedy(passage.Base)
			w.own.find(Fail, fmt.Sprintf("chain %s gives answers to %s the divert mark, which leads them back here", passage.Base, v.link.Attrs().Name), r.command)
			w.own.last(r.lasting)
			break
		}
	}
}

// upstream walks what sluice sends to servers, and what they answer.
func (w *walk) upstream(v gatewayView) {
	for _, protocol := range []byte{protoTCP, protoUDP} {
		p := firewall.Packet{
			IPv6: v.ipv6, Protocol: protocol, New: true, Untracked: w.untracked, In: firewall.NoDevice,
			Elsewhere: append(firewall.Undiverted(), v.own...),
			Mark:      firewall.Exactly(rules.DefaultOwnMark), ConnMark: firewall.Exactly(0),
		}
		what := packetsOf(protocol, v)
		what.side = "what sluice sends by "
		w.judgeOwn(w.ruleset.Pass(firewall.Output, p, w.ours), what, acceptOwn)
		p.New = false
		w.judgeOwn(w.ruleset.Pass(firewall.Output, p, w.ours), what, acceptOwn)
		p.Reply, p.Mark, p.Elsewhere = true, firewall.Exactly(0), nil
		p.In, p.Out = firewall.Device{}, firewall.NoDevice
		p.Ports = []firewall.Ports{{Low: 1024, High: 65535}}
		what.side = "what servers answer by "
		w.judgeOwn(w.ruleset.Pass(firewall.Input, p, w.ours), what, w.acceptAnswers)
	}
}

// judgeOwn tells what is stopped altogether: of the rest the operator knows.
func (w *walk) judgeOwn(passages []firewall.Passage, what packets, remedy func(*firewall.Chain) remedy) {
	for _, p := range passages {
		for _, stop := range p.Stops {
			if severityOf(p, stop) != Fail {
				continue
			}
			w.own.add(finding{Fail, remedy(p.Base), firewall.Step{Passage: p}, stop}, what)
		}
	}
}

// missing notes the forward rules that diverted packets do not pass.
func (w *walk) missing(p firewall.Packet) {
	p.New, p.Out, p.FWMask = true, firewall.Device{}, 0
	const instead = "diverted packets do not pass it: narrow what is diverted (--exclude, --dport, --iface), or say it in prerouting before priority -150"
	for _, passage := range w.ruleset.Pass(firewall.Forward, p, w.ours) {
		name := p.In.Name
		if len(passage.Stops) > 0 {
			w.forward.find(Note, fmt.Sprintf("chain %s %s some of what %s brings: %s", passage.Base, passage.Stops[0].Act, name, instead), "")
		}
		if len(passage.Clamps) > 0 {
			w.forward.find(Note, fmt.Sprintf("chain %s clamps TCP's segment size (rule %d): sluice's own connections take the path's, so none is needed for those of %s",
				passage.Base, passage.Clamps[0].Handle, name), "")
		}
	}
}
