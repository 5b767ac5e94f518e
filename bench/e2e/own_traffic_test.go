//go:build linux

package e2e

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"sluice/bench/lab"
)

// divertOutput also diverts what the gateway itself sends, by rules that know
// sluice's own packets by their mark alone.
func divertOutput(l *lab.Lab) error {
	return errors.Join(divertAll(l), l.Gateway.Command(context.Background(), "nft", `add table inet own;
		add chain inet own pre { type filter hook prerouting priority mangle; };
		add rule inet own pre iifname lo meta mark 1 meta l4proto { tcp, udp } socket transparent 1 socket wildcard 0 accept;
		add rule inet own pre iifname lo meta mark 1 meta l4proto { tcp, udp } tproxy to :12345;
		add chain inet own out { type route hook output priority mangle; };
		add rule inet own out meta mark 2 accept;
		add rule inet own out fib daddr type local accept;
		add rule inet own out fib saddr type != local accept;
		add rule inet own out meta l4proto { tcp, udp } meta mark set 1;`).Run())
}

// TestOwnPacketsWithoutTheirMark has another program take the mark off what
// sluice sends, so that all of it is diverted again: it is known for what it is
// at once, and nothing multiplies.
func TestOwnPacketsWithoutTheirMark(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{listen: []string{"--tproxy=:12345"}, divert: divertOutput, flags: []string{"--udp-timeout=1s", "--udp-query-timeout=1s"}})
	g.shared = writeBackFDs
	run(t, g.Gateway, "nft", "add table inet other; add chain inet other out { type route hook output priority -160; };"+
		"add rule inet other out meta mark set 0;")
	for _, v6 := range []bool{false, true} {
		w := way{tproxy: true, v6: v6}
		startEcho(t, g.Server, w.dest(1))
		before := g.counters(t).number("refused_own_upstream")
		wantRefused(t, g, netip.AddrPort{}, w.dest(0))
		g.untilCounter(t, "refused_own_upstream", before+1)
		client := g.udpClient(t, w)
		if _, err := client.WriteToUDPAddrPort([]byte("x"), w.dest(1)); err != nil {
			t.Fatal(err)
		}
		g.untilCounter(t, "refused_own_upstream", before+2)
	}
	c := g.counters(t)
	if n := c.number("conns_accepted"); n != 2 {
		t.Errorf("two connections became %d", n)
	}
	if n := c.number("udp_sessions_opened"); n != 2 {
		t.Errorf("two sessions became %d", n)
	}
}
