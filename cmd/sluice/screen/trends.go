package screen

import "sluice/cmd/sluice/api"

// trends are the rates of clients, or of destinations, both ways together, by address.
type trends map[string]*trend

type trend struct {
	history
	seen int // samples since it was among the busiest
}

// Bounds of what is remembered and shown of a trend.
const (
	trendWidth  = 20  // columns
	trendFrom   = 104 // width of the terminal from which on there is room for them
	trendUnseen = 60  // samples after which one is forgotten that is not among the busiest
)

// add takes the talkers of a sample. Those that are not among them use little: 0.
func (all trends) add(talkers []api.Talker) {
	for i := range talkers {
		t := all[talkers[i].Address]
		if t == nil {
			t = &trend{}
			all[talkers[i].Address] = t
		}
		t.history.add(talkers[i].RateUp + talkers[i].RateDown)
		t.seen = -1
	}
	for address, t := range all {
		if t.seen++; t.seen > trendUnseen {
			delete(all, address)
		} else if t.seen > 0 {
			t.history.add(0)
		}
	}
}

// of draws the trend of an address.
func (all trends) of(address string, look Look) string {
	if t := all[address]; t != nil {
		return t.spark(trendWidth, look)
	}
	return ""
}
