package redir

import "testing"

// Whatever the limit, what is promised at once never needs more fds than
// there are.
func TestPlanStaysWithinTheLimit(t *testing.T) {
	for _, limit := range []int{512, 1024, 4096, 20000, 1 << 20} {
		for _, workers := range []int{1, 2, 8} {
			for _, networks := range [][2]bool{{true, false}, {false, true}, {true, true}} {
				o := testOptions()
				o.Inbounds[0].TCP, o.Inbounds[0].UDP = networks[0], networks[1]
				b, err := plan(&o, limit, workers)
				if err != nil {
					t.Fatalf("%d fds, %d workers: %v", limit, workers, err)
				}
				need := reservedFDs + fdsPerConn*b.conns + b.flows
				if networks[0] {
					need += fdsPerPipe * b.pipes * workers
				}
				if networks[1] {
					need += b.writeBacks * workers
				}
				if need > limit {
					t.Errorf("%d fds, %d workers: %+v needs %d", limit, workers, b, need)
				}
				if networks[0] && b.conns < 8 || networks[1] && b.flows < 8 {
					t.Errorf("%d fds, %d workers: %+v leaves too little", limit, workers, b)
				}
			}
		}
	}
}

func TestPlanRefusesAHopelessLimit(t *testing.T) {
	o := testOptions()
	o.Inbounds[0].TCP, o.Inbounds[0].UDP = true, true
	for _, c := range []struct{ limit, workers int }{{256, 2}, {1024, 32}, {4096, 200}} {
		if b, err := plan(&o, c.limit, c.workers); err == nil {
			t.Errorf("%d fds and %d workers gave %+v", c.limit, c.workers, b)
		}
	}
}

func TestPlanHonoursSmallerBounds(t *testing.T) {
	o := testOptions()
	o.MaxConns, o.UDPSessions = 10, 20
	b, err := plan(&o, 20000, 2)
	if err != nil || b.conns != 10 || b.flows != 20 {
		t.Errorf("%+v, %v", b, err)
	}
}
