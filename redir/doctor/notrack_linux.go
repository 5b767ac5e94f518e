package doctor

import (
	"slices"

	"sluice/redir/firewall"
)

// trackerCheck is the name of the check.
const trackerCheck = "conntrack of diverted flows"

// judgeNoTrack says whether the connection tracker is of use to what sluice
// carries: not where nothing translates sources, and others' rules let the same
// packets pass untracked. tracked and untracked are walks of both kinds.
func judgeNoTrack(tracked, untracked *walk) Result {
	j := judge{name: trackerCheck}
	translates := tracked.ruleset.Translates(false) || tracked.ruleset.Translates(true)
	switch {
	case !tracked.installed || tracked.byRedirect():
		return ok(trackerCheck, "needed")
	case tracked.ruleset.Untracks(tracked.ours):
		if translates {
			j.find(Warn, "the gateway translates sources, and with --notrack may give a flow that it forwards a port that sluice has: answers to the one reach the other", "install the rules without --notrack")
		}
		return j.result("none, by --notrack")
	case translates:
		return ok(trackerCheck, "needed, since the gateway translates sources")
	case untracked.fails() && !tracked.fails():
		return ok(trackerCheck, "needed by rules that ask for the state of a connection")
	}
	j.find(Note, "nothing here needs it: --notrack spares two entries for each connection and UDP session (but servers behind the gateway cannot answer by UDP then)", "")
	return j.result("")
}

// byRedirect tells whether the rules divert by REDIRECT.
func (w *walk) byRedirect() bool {
	return !slices.ContainsFunc(w.ruleset.At(firewall.Prerouting, false), func(c *firewall.Chain) bool {
		tproxy, _ := c.Diverts()
		return tproxy && w.ours(c)
	})
}

// fails tells whether something stops all packets of a kind.
func (w *walk) fails() bool {
	return slices.ContainsFunc(append(slices.Clone(w.diverted.found), w.own.found...), func(f finding) bool { return f.status == Fail })
}
