package firewall

import "slices"

// Bounds of a walk. The kernel's own of depth is 16 (NFT_JUMP_STACK_SIZE).
const (
	deepest   = 16
	mostSteps = 50_000 // rules evaluated for one chain of a hook
)

// What a rule does, of which the order of chains of one priority decides
// whether it matters.
const (
	ActUnmarks = "takes the mark from"
	ActTakes   = "hands to another listener"
)

// Stop is a rule that ends packets, or redirects or delays them.
type Stop struct {
	Base   *Chain // of the hook
	Chain  *Chain // of the rule
	Rule   *Rule  // nil: the chain's policy
	Act    string // what it does: drops, rejects, rewrites destinations ...
	Amount Amount
	Limit  *Rule // the limit beyond which it does so; nil: none
	Source bool  // few packets, by where they come from
}

// Passage is what becomes of packets in one chain of a hook.
type Passage struct {
	Base   *Chain
	Passes Amount
	Stops  []Stop // in their order
	Clamps []*Rule
	Mark   Word // afterwards, of those that pass
	Conn   Word // the connection's mark
	Known  bool // false: the walk was ended by its bounds

	diverted Amount
}

// walker walks one chain of a hook.
type walker struct {
	packet *Packet
	hook   Hook
	// assumes: the packets are those that this chain diverts, so what else
	// some of them may meet before is not met.
	assumes  bool
	passage  Passage
	accepted *state
	limit    *Rule // packets beyond it are what is left
	bySource bool  // of the jumps that lead here
	within   []*Chain
	steps    int
}

// pass walks a chain of a hook from a state, which it changes.
func pass(base *Chain, p *Packet, st *state, assumes bool) Passage {
	w := walker{packet: p, hook: base.Hook, assumes: assumes}
	w.passage.Base = base
	left := w.chain(base, All, st, 0)
	if left != None {
		if base.Drops && !assumes {
			w.stop(Stop{Chain: base, Act: "drops", Amount: left})
		} else {
			w.accept(left, st)
		}
	}
	if w.accepted != nil {
		*st = *w.accepted
	}
	w.passage.Known = w.steps < mostSteps
	if !w.passage.Known {
		w.passage.Passes = max(w.passage.Passes, Some)
	}
	w.passage.Mark, w.passage.Conn = st.mark, st.connMark
	return w.passage
}

// chain returns how many come back from it, of those that come in.
func (w *walker) chain(c *Chain, left Amount, st *state, depth int) Amount {
	back := None
	w.within = append(w.within, c)
	defer func() { w.within = w.within[:len(w.within)-1] }()
	for _, r := range c.Rules {
		if left == None || w.steps >= mostSteps {
			break
		}
		w.steps++
		marked := w.marked(st)
		f := evaluate(r, w.packet, w.hook, st)
		w.unmarks(r, marked, left, st)
		if w.assumes && f.amount != None && f.amount != All {
			if !f.diverts {
				continue
			}
			f.amount = All
		}
		if f.amount == None {
			continue
		}
		if f.limit && f.amount == Some && (f.verdict.code != verdictContinue || f.act != "") {
			w.limit = r
		}
		if f.mss {
			w.passage.Clamps = append(w.passage.Clamps, r)
		}
		if f.branches != nil {
			left, back = w.fork(r, f, left, back, st, depth)
			continue
		}
		left, back = w.act(r, f, branch{f.amount, f.verdict}, left, back, st, depth)
	}
	return max(left, back)
}

// fork walks what a verdict map may lead to. The packets of one way are not
// those of another, and what is left is what no element takes.
func (w *walker) fork(r *Rule, f effect, left, back Amount, st *state, depth int) (Amount, Amount) {
	rest := left.without(f.amount)
	joined := *st
	slices.SortFunc(f.branches, func(a, b branch) int { return compareVerdicts(a.verdict, b.verdict) })
	for _, b := range f.branches {
		way := *st
		b.amount = min(b.amount, left)
		var l, k Amount
		l, k = w.act(r, f, branch{All, b.verdict}, b.amount, None, &way, depth)
		rest, back = max(rest, l), max(back, k)
		joined = joined.or(way)
	}
	*st = joined
	return rest, back
}

// act does what the rule does with so many of the packets that are left.
func (w *walker) act(r *Rule, f effect, b branch, left, back Amount, st *state, depth int) (Amount, Amount) {
	taken := min(left, b.amount)
	rest := left.without(b.amount)
	if f.act != "" {
		w.special(r, f, taken, st)
		return rest, back
	}
	if f.diverts && !w.assumes {
		w.special(r, effect{act: ActTakes, amount: f.amount, by: f.by}, taken, st)
		return rest, back
	}
	if f.diverts {
		w.passage.diverted = max(w.passage.diverted, taken)
	}
	switch b.verdict.code {
	case verdictAccept:
		w.accept(taken, st)
		return rest, back
	case verdictDrop:
		w.stop(Stop{Chain: r.Chain, Rule: r, Act: "drops", Amount: taken, Source: f.amount == Few && f.by == fieldSource})
		return rest, back
	case verdictQueue:
		w.special(r, effect{act: "queues"}, taken, st)
		return rest, back
	case verdictReturn:
		return rest, max(back, taken)
	case verdictJump, verdictGoto:
		target := r.Chain.Table.chains[b.verdict.chain]
		// The kernel knows no cycles (nf_tables_check_loops); a broken dump may.
		if target == nil || depth >= deepest || slices.Contains(w.within, target) {
			return left, back
		}
		bySource, limit := w.bySource, w.limit
		w.bySource = bySource || b.amount == Few && f.by == fieldSource
		inside := *st
		came := w.chain(target, taken, &inside, depth+1)
		w.bySource, w.limit = bySource, limit
		if b.amount == All {
			*st = inside
		} else {
			*st = st.or(inside)
		}
		if b.verdict.code == verdictGoto {
			return rest, max(back, came)
		}
		return max(rest, came), back
	}
	return left, back
}

// special is what is neither accepted nor dropped.
func (w *walker) special(r *Rule, f effect, taken Amount, st *state) {
	if f.act == "redirects" && w.assumes {
		w.passage.diverted = max(w.passage.diverted, taken)
		w.accept(taken, st)
		return
	}
	w.stop(Stop{Chain: r.Chain, Rule: r, Act: f.act, Amount: taken, Source: f.amount == Few && f.by == fieldSource})
	if f.act != "rejects" {
		after := *st
		if f.act == "rewrites destinations of" || f.act == "redirects" {
			after.rewritten = max(after.rewritten, taken)
		}
		goesOn := Few // but not as it came
		if f.act == "queues" {
			goesOn = Some // a program decides
		}
		w.accept(min(taken, goesOn), &after)
	}
}

// marked tells how many bear the mark that leads them to sluice.
func (w *walker) marked(st *state) Amount {
	if w.packet.FWMask == 0 {
		return None
	}
	return st.mark.Is(w.packet.FWMark, w.packet.FWMask)
}

// unmarks notes a rule that takes the mark away, and goes on as if it had not.
func (w *walker) unmarks(r *Rule, before, left Amount, st *state) {
	now := w.marked(st)
	if before != All || now == All || w.assumes {
		return
	}
	w.stop(Stop{Chain: r.Chain, Rule: r, Act: ActUnmarks, Amount: min(left, now.rest())})
	st.mark = st.mark.and(^w.packet.FWMask).xorWord(Exactly(w.packet.FWMark))
}

func (w *walker) accept(amount Amount, st *state) {
	w.passage.Passes = max(w.passage.Passes, amount)
	if w.accepted == nil {
		after := *st
		w.accepted = &after
		return
	}
	*w.accepted = w.accepted.or(*st)
}

func (w *walker) stop(s Stop) {
	s.Base, s.Limit = w.passage.Base, w.limit
	s.Source = s.Source || w.bySource
	for i := range w.passage.Stops {
		if known := &w.passage.Stops[i]; known.Rule == s.Rule && known.Chain == s.Chain && known.Act == s.Act {
			known.Amount = max(known.Amount, s.Amount)
			return
		}
	}
	w.passage.Stops = append(w.passage.Stops, s)
}

func compareVerdicts(a, b verdict) int {
	switch {
	case a.code != b.code:
		return int(a.code - b.code)
	case a.chain < b.chain:
		return -1
	case a.chain > b.chain:
		return 1
	}
	return 0
}
