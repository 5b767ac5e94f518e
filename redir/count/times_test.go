package count

import (
	"testing"
	"time"
)

func TestTimesFallIntoTheirBuckets(t *testing.T) {
	var c Counters
	bounds := TimeBounds()
	for i, b := range bounds {
		c.Took(FirstByteTime, int64(b))   // belongs to its bucket: a bound is an upper end
		c.Took(FirstByteTime, int64(b)+1) // to the next
		if i > 0 && b <= bounds[i-1] {
			t.Errorf("%v follows %v", b, bounds[i-1])
		}
	}
	c.Took(FirstByteTime, -5)
	var all [NumTimes]Distribution
	c.CollectTimes(&all)
	for i, n := range all[FirstByteTime].Counts {
		if want := uint64(2); n != want && !(i == len(bounds) && n == 1) {
			t.Errorf("bucket %d holds %d", i, n)
		}
	}
	if all[ConnectTime] != (Distribution{}) {
		t.Error("another histogram has changed")
	}
	if n := testing.AllocsPerRun(100, func() { c.Took(ConnectTime, int64(time.Second)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
