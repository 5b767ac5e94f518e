package compare

import "slices"

// Series is a sweep of one work: the same load at growing X.
type Series struct {
	Key, Title, Sweep string
	Points            []*WorkResult
}

// Series collects the sweeps, in their order.
func (r *Result) Series() []Series {
	var all []Series
	for i := range r.Works {
		w := &r.Works[i]
		if w.Sweep == "" {
			continue
		}
		at := slices.IndexFunc(all, func(s Series) bool { return s.Key == w.Key })
		if at < 0 {
			at = len(all)
			all = append(all, Series{Key: w.Key, Title: w.Title, Sweep: w.Sweep})
		}
		all[at].Points = append(all[at].Points, w)
	}
	return all
}

// Peers lists those that took part in at least one point, in their order.
func (s *Series) Peers() []string {
	var names []string
	for _, p := range s.Points {
		for _, row := range p.Rows {
			if !slices.Contains(names, row.Peer) {
				names = append(names, row.Peer)
			}
		}
	}
	return names
}
