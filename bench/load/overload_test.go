//go:build linux

package load

import (
	"context"
	"testing"
	"time"
)

// A rate beyond reach prolongs nothing, and what was due and never sent is no silent
// omission.
func TestRateBeyondReach(t *testing.T) {
	const rate = 2e6
	target := server(t)
	for _, test := range []Test{UDPRR, UDPChurn, TCPCRR, TCPRR} {
		t.Run(string(test), func(t *testing.T) {
			begin := time.Now()
			res, err := Run(context.Background(), Spec{Test: test, Target: target, Rate: rate, Size: 64, Flows: 4,
				Single: test == UDPRR || test == UDPChurn, Duration: 300 * time.Millisecond, Timeout: 100 * time.Millisecond}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took > 5*time.Second { // all that is due would take half a minute
				t.Errorf("took %v", took)
			}
			due := rate * 0.3
			if known := float64(res.Units + res.Faults.Lost); known < 0.9*due || known > 1.1*due {
				t.Errorf("%d came through and %d are lost of %g due", res.Units, res.Faults.Lost, due)
			}
		})
	}
}

// A rate of less than one unit per Duration ends with the Duration.
func TestRateOfLessThanOne(t *testing.T) {
	target := server(t)
	for _, test := range []Test{UDPRR, UDPChurn, TCPCRR, TCPRR} {
		t.Run(string(test), func(t *testing.T) {
			begin := time.Now()
			res, err := Run(context.Background(), Spec{Test: test, Target: target, Rate: 0.2, Size: 64, Flows: 1,
				Duration: 1200 * time.Millisecond, Timeout: 100 * time.Millisecond}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); res.Units != 1 || res.Faults.Lost != 0 || took > 5*time.Second { // all that is due would take half a minute
				t.Errorf("%d units, %d lost, took %v", res.Units, res.Faults.Lost, took)
			}
		})
	}
}
