package redir

import (
	"testing"

	"sluice/redir/inbound"
)

func TestLanesAreBounded(t *testing.T) {
	for _, c := range []struct{ udp, workers, want int }{
		{0, 2, 8}, {1, 1, 8}, {1, 8, 8}, {1, 16, 4}, {4, 2, 8}, {16, 2, 2}, {1000, 2, 1}, {1, 1024, 1},
	} {
		inbounds := make([]inbound.Spec, c.udp+1) // and one for TCP alone
		for i := range c.udp {
			inbounds[i].UDP = true
		}
		if got := lanes(inbounds, c.workers); got != c.want {
			t.Errorf("%d inbounds, %d workers: %d, want %d", c.udp, c.workers, got, c.want)
		}
	}
}
