package redir

import (
	"testing"

	"sluice/redir/admit"
)

// What one client may have by default leaves some to others, and nobody normal
// meets it.
func TestClientBounds(t *testing.T) {
	for _, c := range []struct {
		conns, flows int
		set          ClientOptions
		want         admit.Bounds
	}{
		{330_000, 27_350, ClientOptions{}, admit.Bounds{Conns: 165_000, Dials: 41_250, Sessions: 13_675, Paced: true}},
		{5136, 6160, ClientOptions{}, admit.Bounds{Conns: 5000, Dials: 2568, Sessions: 5000, Paced: true}},
		{640, 500, ClientOptions{}, admit.Bounds{Conns: 635, Dials: 320, Paced: true}},
		{8, 100, ClientOptions{}, admit.Bounds{Dials: 4, Paced: true}},
		{1, 1, ClientOptions{}, admit.Bounds{Dials: 1, Paced: true}},
		{0, 100, ClientOptions{}, admit.Bounds{Paced: true}},
		{5136, 6160, ClientOptions{Conns: 10, Dials: 9000, Connects: 100, Sessions: 20}, admit.Bounds{Conns: 10, Dials: 2568, Connects: 100, Sessions: 20}},
		{5136, 6160, ClientOptions{Conns: NoBound, Dials: NoBound, Connects: NoBound, Sessions: NoBound}, admit.Bounds{}},
	} {
		o := testOptions()
		o.Clients = c.set
		got := o.clientBounds(budget{conns: c.conns, flows: c.flows})
		if got.Conns != c.want.Conns || got.Dials != c.want.Dials || got.Sessions != c.want.Sessions ||
			got.Connects != c.want.Connects || got.Paced != c.want.Paced {
			t.Errorf("%d connections, %d sessions, %+v: %+v, want %+v", c.conns, c.flows, c.set, got, c.want)
		}
	}
}
