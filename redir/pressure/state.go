package pressure

// State is what a look has found.
type State struct {
	Tight, Short bool
	Gauge        string  // the one that is fullest, by its own thresholds; "" where there is none
	Share        float64 // of what it measures that is used, 0 to 1
	Bound        int64   // bytes: the least of what the gauges say may be used; 0: unknown
}

// thresholds are shares of a gauge from which memory is tight or short, and below
// which it no longer is.
type thresholds struct{ tight, notTight, short, notShort float64 }

// gauge is a reader of one measure, with what was last found.
type gauge struct {
	name         string
	at           thresholds
	read         func() (reading, bool) // false: nothing to be known now
	tight, short bool
}

// reading is one measurement.
type reading struct {
	share float64
	bound int64 // bytes; 0: it bounds no bytes
}

// take judges a share by the thresholds, and by where it was.
func (g *gauge) take(share float64) {
	g.tight = share >= g.at.tight || g.tight && share >= g.at.notTight
	g.short = share >= g.at.short || g.short && share >= g.at.notShort
}

// look reads all gauges.
func look(gauges []*gauge) (s State) {
	fullest := -1.0
	for _, g := range gauges {
		r, ok := g.read()
		if !ok {
			g.tight, g.short = false, false
			continue
		}
		g.take(r.share)
		s.Tight, s.Short = s.Tight || g.tight || g.short, s.Short || g.short
		if of := r.share / g.at.short; of > fullest {
			fullest, s.Gauge, s.Share = of, g.name, r.share
		}
		if r.bound > 0 && (s.Bound == 0 || r.bound < s.Bound) {
			s.Bound = r.bound
		}
	}
	return s
}
