package tcp

import "sluice/splice"

// gather has c pumped: at once, or where calls are made together, with all others that
// had an edge in this turn.
func (c *conn) gather() {
	switch {
	case c.w.workspace.MostTogether() == 0:
		c.pump()
	case !c.has(isGathered):
		c.set(isGathered, true)
		c.w.gathered = append(c.w.gathered, c)
	}
}

// pumpGathered pumps the conns that were gathered in this turn, when all edges have been
// handed out.
func (w *Worker) pumpGathered() {
	for rest := w.gathered; len(rest) > 0; {
		share := rest[:min(len(rest), w.workspace.MostTogether())]
		rest = rest[len(share):]
		w.pumpTogether(share)
	}
	clear(w.gathered)
	w.gathered = w.gathered[:0]
}

// pumpTogether pumps a share of them. Some may have ended since, and their places may
// have been taken by others.
func (w *Worker) pumpTogether(share []*conn) {
	relays := w.relays[:0]
	for i, c := range share {
		if !c.has(isGathered) || c.state != relaying {
			share[i] = nil
			continue
		}
		c.set(isGathered, false)
		if !c.isRated() {
			relays = append(relays, &c.relay)
		}
	}
	w.workspace.MoveTogether(relays)
	for _, c := range share {
		if c != nil && c.state == relaying {
			c.pump()
		}
	}
	clear(relays)
	w.relays = relays
}

// moveTogether has calls of w's conns made together, where the reactor does that.
func (w *Worker) moveTogether(relay *splice.Config) {
	if calls := w.r.Calls(); calls != nil {
		relay.Calls = calls
		w.r.OnEdgesServed(w.pumpGathered)
	}
}
