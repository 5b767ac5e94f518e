package redir

import (
	"testing"

	"sluice/redir/inbound"
)

func TestLanesAreBounded(t *testing.T) {
	for _, c := range []struct{ udp, workers, fds, want int }{
		{0, 2, 1 << 16, 8}, {1, 1, 1 << 16, 8}, {1, 8, 1 << 16, 8}, {1, 16, 1 << 16, 4}, {4, 2, 1 << 16, 8},
		{16, 2, 1 << 16, 2}, {1000, 2, 1 << 16, 1}, {1, 1024, 1 << 16, 1}, {1, 2, 1024, 4}, {1, 2, 128, 1},
	} {
		inbounds := make([]inbound.Spec, c.udp+1) // and one for TCP alone
		for i := range c.udp {
			inbounds[i].UDP = true
		}
		if got := lanes(inbounds, c.workers, c.fds); got != c.want {
			t.Errorf("%d inbounds, %d workers, %d fds: %d, want %d", c.udp, c.workers, c.fds, got, c.want)
		}
	}
}
