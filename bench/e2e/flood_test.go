//go:build linux

package e2e

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice/bench/flood"
	"sluice/bench/lab"
	"sluice/bench/load"
	"sluice/bench/serve"
)

// liveFlows has 20 clients have datagrams echoed for so long, each the next one
// when the last has come back, and returns the share that did not.
func (g *gateway) liveFlows(t *testing.T, w way, dest netip.AddrPort, d time.Duration) float64 {
	t.Helper()
	from := netip.MustParsePrefix(lab.ClientNet4)
	if w.v6 {
		from = netip.MustParsePrefix(lab.ClientNet6)
	}
	r, err := load.Run(t.Context(), load.Spec{
		Test: load.UDPRR, Target: dest, From: from, Flows: 20, Window: 1, Size: 200, Duration: d,
		Timeout: 5 * time.Second, Threads: 1, Enter: g.Client.Do,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := r.Faults; f.Corrupt+f.Mixed+f.WrongSource > 0 {
		t.Errorf("faults: %+v", f)
	}
	return float64(r.Faults.Lost) / float64(max(r.Sent, 1))
}

// startServer runs a load's server in the lab until the test ends.
func startServer(t *testing.T, g *gateway, at netip.AddrPort) {
	t.Helper()
	err := g.Server.Do(func() error {
		s, err := serve.Listen(serve.Options{Listen: []netip.AddrPort{at}})
		if err == nil {
			t.Cleanup(func() { s.Close() })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFloodBesideLiveFlows has 20,000 datagrams a second come from as many
// sources: those who talk already lose about what they lose without.
func TestFloodBesideLiveFlows(t *testing.T) {
	const most = 0.05 // what a machine that is busy with other tests may add
	const rate = 20_000
	g := startUDPGateway(t, setup{plain: true})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		dest := w.dest(0)
		startServer(t, g, dest)
		quiet := g.liveFlows(t, w, dest, time.Second)

		ctx, stop := context.WithCancel(t.Context())
		sent := make(chan flood.Result, 1)
		go func() {
			r, err := flood.Run(ctx, flood.Spec{
				Kind: flood.UDP, Target: w.dest(9), From: netip.MustParsePrefix(map[bool]string{false: "10.128.0.0/12", true: "fd80::/64"}[w.v6]),
				Rate: rate, Size: 64, Duration: time.Minute, Enter: g.Client.Do,
			})
			if err != nil {
				t.Error(err)
			}
			sent <- r
		}()
		before := g.counters(t).number("udp_sessions_opened")
		until(t, "the flood opens sessions", func() bool { return g.counters(t).number("udp_sessions_opened") > before+1000 })
		lost := g.liveFlows(t, w, dest, 2*time.Second)
		stop()
		r := <-sent
		c := g.counters(t)
		t.Logf("lost %.2f%% beside %.0f datagrams/s, %.2f%% without; %d sessions, %d datagrams shed",
			100*lost, float64(r.Packets)/r.Seconds, 100*quiet, c.number("udp_sessions_opened"), c.number("dropped_flood"))
		if lost > quiet+most && float64(r.Packets)/r.Seconds > rate/2 { // else the machine is too busy to flood
			t.Errorf("lost %.2f%%, %.2f%% without the flood", 100*lost, 100*quiet)
		}
		g.untilCounter(t, "udp_sessions_now", 0)
	})
}

// TestEchoLoopIsDamped has the echo services of a client and of a server answer
// each other.
func TestEchoLoopIsDamped(t *testing.T) {
	t.Parallel()
	const echoPort = 7
	g := startUDPGateway(t, setup{})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		server := startEcho(t, g.Server, netip.AddrPortFrom(w.server(), echoPort))
		client := startEcho(t, g.Client, netip.AddrPortFrom(w.client(), echoPort))
		before := g.counters(t).number("dropped_echo")
		const balls = 3
		for range balls { // as if somebody had forged them
			if _, err := client.conn.WriteToUDPAddrPort([]byte("x"), server.at); err != nil {
				t.Fatal(err)
			}
		}
		until(t, "the loop ends", func() bool { return g.counters(t).number("dropped_echo") == before+balls })
		g.untilCounter(t, "udp_sessions_now", 0)
		if len(g.log.since(0, message("datagram dropped"))) == 0 {
			t.Error("nothing is logged of it")
		}
		ask(t, g.udpClient(t, w), server.at, []byte("one who asks"))
	})
}

// TestNoTrack runs sluice with --notrack: what is diverted passes as ever, is
// refused as ever, and leaves no trace in the connection tracker.
func TestNoTrack(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{divert: divertNothing, flags: []string{"--install-rules", "--notrack", "--iface=lan"}})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e := startEcho(t, g.Server, w.dest(0))
		client := g.udpClient(t, w)
		for _, size := range []int{0, 1, 1400, 9000, 65507} {
			ask(t, client, e.at, payload(size))
		}
		refused := connectedUDP(t, g.Client, w.dest(7))
		if _, err := refused.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := refused.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("a port that nobody has: %v", err)
		}
		near, far := g.pair(t, w)
		mustWrite(t, near, payload(1<<20))
		mustCloseWrite(t, near)
		wantEnd(t, far, payload(1<<20))
		mustCloseWrite(t, far)
		wantEnd(t, near, nil)
	})
	count, err := g.Gateway.ReadSysctl("net/netfilter/nf_conntrack_count")
	if err != nil {
		t.Fatal(err)
	}
	if count != "0" {
		t.Errorf("%s entries in the connection tracker", count)
	}
}
