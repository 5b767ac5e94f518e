package admit

import "time"

// Pace is how fast a client may open connections. The zero value is no pace.
type Pace struct {
	Interval int64 // ns from one to the next
	Burst    int64 // ns; as much as this time allows may come at once
}

// connectBurst is how much of Bounds.Connects may come at once.
const connectBurst = int64(time.Second)

// rate is in connections a second.
func (p Pace) rate() int { return int(int64(time.Second) / p.Interval) }

// paceOf is the pace that holds where the caller asks for p.
func (b *Bounds) paceOf(p Pace) Pace {
	switch {
	case b.Connects > 0:
		return Pace{Interval: int64(time.Second) / int64(b.Connects), Burst: connectBurst}
	case b.Paced:
		return p
	}
	return Pace{}
}
