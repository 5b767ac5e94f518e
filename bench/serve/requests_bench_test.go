//go:build linux

package serve_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/load"
	"sluice/bench/serve"
)

// roundTime is how long each server is loaded in a round.
const roundTime = 500 * time.Millisecond

// BenchmarkRequests sets the server beside itself without reactors, which take turns in
// every round: medians of the ratios, with over without, of the rate and of the CPU time
// for a unit. The CPU time is the process's, so the load's own share is in it.
//
//	go test -run '^$' -bench Requests -benchtime 20x ./bench/serve
func BenchmarkRequests(b *testing.B) {
	for _, c := range []struct {
		name string
		load.Spec
	}{
		{"rr", load.Spec{Test: load.TCPRR, Flows: 100}},
		{"crr", load.Spec{Test: load.TCPCRR, Flows: 16}},
		{"up", load.Spec{Test: load.TCPStream, Direction: load.Up}},
		{"down", load.Spec{Test: load.TCPStream, Direction: load.Down}},
		{"both", load.Spec{Test: load.TCPStream, Direction: load.Both}},
	} {
		b.Run(c.name, func(b *testing.B) { pair(b, c.Spec) })
	}
}

// pair loads both servers once in every round, each first in every other one.
func pair(b *testing.B, spec load.Spec) {
	spec.Duration = roundTime
	var targets [2]netip.AddrPort
	for i, listen := range []func(serve.Options) (*serve.Server, error){serve.ListenWithoutReactors, serve.Listen} {
		s, err := listen(serve.Options{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		targets[i] = s.Addrs[0]
	}
	var rates, costs []float64
	for round := range b.N {
		var rate, cost [2]float64
		for turn := range 2 {
			i := (round + turn) % 2
			spec.Target = targets[i]
			before := cpuTime()
			res, err := load.Run(b.Context(), spec, nil)
			if err != nil {
				b.Fatal(err)
			}
			if res.Faults != (load.Faults{}) {
				b.Fatalf("%+v", res.Faults)
			}
			rate[i] = res.Rate
			cost[i] = float64(cpuTime()-before) / (res.Rate * res.Seconds)
		}
		rates = append(rates, rate[1]/rate[0])
		costs = append(costs, cost[1]/cost[0])
	}
	b.ReportMetric(0, "ns/op") // a round's time is given
	b.ReportMetric(median(rates), "rate-ratio")
	b.ReportMetric(median(costs), "cpu-ratio")
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// cpuTime is what this process has used, user and system.
func cpuTime() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // fails for a wrong argument only
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
