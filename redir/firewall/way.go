package firewall

import "slices"

// priorityConntrack is where the connection tracker looks at packets, at
// prerouting and output (NF_IP_PRI_CONNTRACK).
const priorityConntrack = -200

// priorityMangle is where sluice's rules are unless told otherwise.
const priorityMangle = -150 // NF_IP_PRI_MANGLE

// Step is a chain on the way of packets.
type Step struct {
	Passage
	Before bool // the packets are not diverted yet
	Tied   bool // of the same priority as the chain that diverts
}

// Way is what diverted packets pass.
type Way struct {
	Packet Packet // as it is in the end
	Steps  []Step
	// Leaves is a chain of sluice's that leaves the packets alone.
	Leaves *Chain
}

// Ours tells whether the chain is one that diverts: of sluice's own table, or
// made by hand where there is none.
type Ours func(*Chain) bool

// OwnTable finds the chains of tables in family inet; without such a table,
// those that hand packets to a tproxy listener.
func (r *Ruleset) OwnTable(names ...string) Ours {
	var found []*Table
	for _, name := range names {
		if t := r.tables[tableKey{familyINet, name}]; t != nil {
			found = append(found, t)
		}
	}
	if len(found) > 0 {
		return func(c *Chain) bool { return slices.Contains(found, c.Table) }
	}
	return func(c *Chain) bool {
		tproxy, _ := c.Diverts()
		return tproxy
	}
}

// Divert walks the prerouting chains and, as the local packets that they are
// then, the input chains. Where no chain is ours it is as if one marked the
// packets at mangle priority. The port is the listener's, for redirected
// packets.
func (r *Ruleset) Divert(p Packet, ours Ours, port uint16) Way {
	way := Way{Packet: p}
	st := state{mark: p.Mark, connMark: p.ConnMark, untracked: p.Untracked}
	chains := r.At(Prerouting, p.IPv6)
	at, installed := int32(priorityMangle), false
	for _, c := range chains {
		if tproxy, redirect := c.Diverts(); ours(c) && (tproxy || redirect) {
			at, installed = c.Priority, true
			way.Packet.DNAT = redirect && !tproxy
		}
	}
	isRedirected := way.Packet.DNAT
	way.Packet.DNAT = false
	if isRedirected {
		way.Packet.FWMask = 0
	}
	diverted := false
	divert := func() {
		diverted = true
		if isRedirected {
			way.Packet.redirect(port)
		} else if !installed {
			st.mark = st.mark.and(^p.FWMask).xorWord(Exactly(p.FWMark))
		}
	}
	for _, c := range ownFirst(chains, ours) {
		if !installed && !diverted && c.Priority >= at {
			divert()
		}
		switch {
		case ours(c):
			way.own(c, &st)
			if installed && !diverted && c.Priority == at {
				divert()
			}
		case c.Type == "nat" && !p.New: // it sees what begins alone
		default:
			st.early = c.Priority < priorityConntrack
			way.Steps = append(way.Steps, Step{pass(c, &way.Packet, &st, false), !diverted, c.Priority == at})
		}
	}
	if !diverted {
		divert()
	}
	if priority, guarded := r.lastWord(ours, p.IPv6); guarded && !isRedirected {
		way.forgive(priority)
		st.mark = st.mark.and(^p.FWMask).xorWord(Exactly(p.FWMark))
	}
	st.early = false
	for _, c := range r.At(Input, p.IPv6) {
		if c.Type != "nat" {
			way.Steps = append(way.Steps, Step{Passage: pass(c, &way.Packet, &st, ours(c))})
		}
	}
	way.Packet.Mark, way.Packet.ConnMark = st.mark, st.connMark
	return way
}

// DivertMark is the mark, and its mask, that chains which are ours set when
// they hand packets to a listener; no mask: none does.
func (r *Ruleset) DivertMark(ours Ours) (mark, mask uint32) {
	for _, protocol := range []byte{protoTCP, protoUDP} {
		for _, c := range r.At(Prerouting, false) {
			if tproxy, _ := c.Diverts(); !tproxy || !ours(c) {
				continue
			}
			st := state{}
			if p := pass(c, &Packet{Protocol: protocol, New: true}, &st, true); p.diverted != None && st.mark.Known != 0 {
				return st.mark.Bits, st.mark.Known
			}
		}
	}
	return 0, 0
}

// Guards tells whether ours have the last word on marks: a chain behind all
// others at prerouting marks diverted packets again, and one at output takes
// the mark off what goes back.
func (r *Ruleset) Guards(ours Ours) bool {
	_, guarded := r.lastWord(ours, false)
	return guarded
}

// lastWord is the priority of that chain.
func (r *Ruleset) lastWord(ours Ours, ipv6 bool) (priority int32, guarded bool) {
	for _, c := range r.At(Prerouting, ipv6) {
		if tproxy, redirect := c.Diverts(); ours(c) && !tproxy && !redirect {
			priority, guarded = c.Priority, true
		}
	}
	return priority, guarded
}

// forgive leaves out what took the mark from packets that got it back.
func (w *Way) forgive(priority int32) {
	for i := range w.Steps {
		if w.Steps[i].Base.Priority < priority {
			w.Steps[i].Stops = slices.DeleteFunc(slices.Clone(w.Steps[i].Stops), func(s Stop) bool { return s.Act == ActUnmarks })
		}
	}
}

// own walks a chain of sluice's, and notes when it leaves the packets alone.
func (w *Way) own(c *Chain, st *state) {
	st.early = c.Priority < priorityConntrack
	p := pass(c, &w.Packet, st, true)
	if tproxy, redirect := c.Diverts(); w.Packet.New && (tproxy || redirect) && p.diverted == None {
		w.Leaves = c
	}
}

// redirect is what REDIRECT makes of the packet (nf_nat_redirect): it goes to
// an address of the interface, and the listener's port.
func (p *Packet) redirect(port uint16) {
	p.DNAT, p.Elsewhere = true, nil
	p.Ports = []Ports{{port, port}}
}

// ownFirst moves ours before those of the same priority.
func ownFirst(chains []*Chain, ours Ours) []*Chain {
	var sorted []*Chain
	for len(chains) > 0 {
		n := 1
		for n < len(chains) && chains[n].Priority == chains[0].Priority {
			n++
		}
		for _, want := range []bool{true, false} {
			for _, c := range chains[:n] {
				if ours(c) == want {
					sorted = append(sorted, c)
				}
			}
		}
		chains = chains[n:]
	}
	return sorted
}

// Pass walks the chains of one hook, but those that are ours, with packets
// that are not diverted.
func (r *Ruleset) Pass(hook Hook, p Packet, ours Ours) []Passage {
	var passages []Passage
	st := state{mark: p.Mark, connMark: p.ConnMark, untracked: p.Untracked}
	for _, c := range r.At(hook, p.IPv6) {
		if ours(c) || c.Type == "nat" {
			continue
		}
		st.early = (hook == Prerouting || hook == Output) && c.Priority < priorityConntrack
		passages = append(passages, pass(c, &p, &st, false))
	}
	return passages
}
