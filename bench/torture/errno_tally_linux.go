package torture

import "strings"

// errnoTally is what the injections showed; the lists name call and error. One
// goroutine owns it, and the stage.
type errnoTally struct {
	*stage
	injected, delivered, reset, reasoned        int
	hangs, silent, wordless, spins, dead, leaks []string
}

func (t *errnoTally) add(o *errnoTally) {
	t.injected += o.injected
	t.delivered += o.delivered
	t.reset += o.reset
	t.reasoned += o.reasoned
	t.hangs = append(t.hangs, o.hangs...)
	t.silent = append(t.silent, o.silent...)
	t.wordless = append(t.wordless, o.wordless...)
	t.spins = append(t.spins, o.spins...)
	t.dead = append(t.dead, o.dead...)
	t.leaks = append(t.leaks, o.leaks...)
}

// read adds the readings to the figure's stage.
func (t *errnoTally) read(s *stage) {
	s.atLeast("errors injected", float64(t.injected), "", 100)
	s.note("delivered", float64(t.delivered), "")
	s.note("reset", float64(t.reset), "")
	s.note("ends of the process with a reason", float64(t.reasoned), "")
	for _, r := range []struct {
		what string
		list []string
	}{
		{"hangs", t.hangs}, {"silent failures", t.silent}, {"ends without a reason", t.wordless},
		{"spins", t.spins}, {"does not serve afterwards", t.dead}, {"fds left", t.leaks},
	} {
		what := r.what
		if len(r.list) > 0 {
			what += " [" + strings.Join(r.list, "; ") + "]"
		}
		s.atMost(what, float64(len(r.list)), "", 0)
	}
}
