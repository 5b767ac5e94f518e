package tcp

import (
	"net/netip"
	"testing"
	"time"
)

const ms = int64(time.Millisecond)

// fill lets a listener take a share each ms from one time to another without
// coming to the end of its queue. Each nth connection is another client's, 0: none.
func fill(p *pressure, from, to int64, nth int) {
	heavy, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for now := from; now < to; now += ms {
		for i := range 10 {
			addr := heavy
			if nth > 0 && i%nth == nth-1 {
				addr = other
			}
			p.came(addr, now)
		}
		p.left(now)
	}
}

func TestPressure(t *testing.T) {
	heavy, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	paced := func(p *pressure, now int64) bool { return p.came(heavy, now).Interval > 0 }

	var alone pressure
	fill(&alone, 1, 3000*ms, 0)
	if paced(&alone, 3000*ms) {
		t.Error("a client that is alone has a pace")
	}

	var short pressure
	fill(&short, 1, 900*ms, 2)
	short.emptied()
	fill(&short, 901*ms, 1800*ms, 2)
	if paced(&short, 1800*ms) {
		t.Error("a queue that is emptied in time makes a pace")
	}

	var behind pressure
	fill(&behind, 1, 1500*ms, 10)
	pace := behind.came(heavy, 1500*ms)
	if carried := int64(10_000); pace.Interval < int64(time.Second)*pressurePart/carried*9/10 || pace.Interval > int64(time.Second)*pressurePart/carried*11/10 {
		t.Errorf("a pace of %d ns, of %d connections a second", pace.Interval, carried)
	}
	now := 1500 * ms
	for range 5 { // it holds as long as it is needed
		now += pressureHold * 9 / 10
		behind.came(other, now)
		behind.refused(heavy, now)
		if !paced(&behind, now) {
			t.Fatal("the pace ended too soon")
		}
	}
	for range 3 { // nobody else comes
		now += pressureHold * 9 / 10
		if paced(&behind, now) {
			behind.refused(heavy, now)
		}
	}
	if paced(&behind, now+pressureHold) {
		t.Error("the pace holds on, though nobody needs it")
	}
}
