package torture

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"sluice/bench/load"
)

// normal is a client that behaves: connections at a fixed rate, each with a request.
type normal struct {
	from netip.Addr
	to   netip.AddrPort
	rate float64 // connections a second
}

// measure is what a normal client got.
type measure struct {
	p50, p99 time.Duration // from when a connection was due to its answer
	rate     float64       // answered a second
	failed   float64
}

// normalWait is how long a normal client waits for one answer.
const normalWait = 2 * time.Second

func (s *stage) measure(ctx context.Context, n normal, d time.Duration) (measure, error) {
	res, err := load.Run(ctx, load.Spec{Test: load.TCPCRR, Target: n.to, From: netip.PrefixFrom(n.from, n.from.BitLen()),
		Duration: d, Flows: 32, Size: 64, Reply: 64, Rate: n.rate, Timeout: normalWait, Enter: s.Client.Do}, nil)
	if err != nil {
		return measure{}, err
	}
	m := measure{rate: res.Rate, failed: float64(res.Faults.Errors + res.Faults.Lost)}
	if len(res.Failures) > 0 && res.Units > 0 {
		return m, fmt.Errorf("a normal client: %v", res.Failures)
	}
	m.p50, m.p99 = normalWait, normalWait // nobody was answered
	if res.Latency != nil {
		m.p50, m.p99 = time.Duration(res.Latency.P50US*1e3), time.Duration(res.Latency.P99US*1e3)
	}
	return m, nil
}

// compare adds the readings of a normal client beside something, as ratios to what it
// had alone. A p99 below the floor is as good as the floor. In the short form it is one
// that nobody feels and a busy machine gives by itself: few CPUs take turns between
// attacker, sluice and client.
func (s *stage) compare(what string, alone, beside measure) {
	floor := pick(s, 20*time.Millisecond, 2*time.Millisecond)
	p99 := max(beside.p99, floor).Seconds() / max(alone.p99, floor).Seconds()
	s.about(Most, what+": p99 ratio", p99, "x", 10, 1.5)
	s.about(Most, what+": rate ratio", alone.rate/max(beside.rate, 1), "x", 1.5, 1.5)
	s.note(what+": p99", beside.p99.Seconds()*1e3, " ms")
	s.note(what+": failed", beside.failed, "")
}
