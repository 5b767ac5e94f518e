package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/bench/load"
)

// runUDP runs `sluice-bench load` inside the client's namespace.
func (r *rig) runUDP(ctx context.Context, w Work, p *peer, d time.Duration) (outcome, error) {
	test := load.UDPRR
	if w.load == newSources {
		test = load.UDPChurn
	}
	args := []string{"load", string(test), p.at(portServe).String(), "--json", "--ceiling=off", "--duration=" + d.String(),
		fmt.Sprintf("--flows=%d", w.flows), fmt.Sprintf("--size=%d", w.size)}
	if w.window > 0 {
		args = append(args, fmt.Sprintf("--window=%d", w.window))
	}
	if !w.gso {
		args = append(args, "--single")
	}
	out, err := p.client(ctx, d, r.program, args...)
	var res load.Result
	if bad := json.Unmarshal(out, &res); bad != nil { // it fails with a result where the path did
		return outcome{}, errors.Join(err, fmt.Errorf("result of the load: %w", bad))
	}
	return outcomeOf(w, res), nil
}

// runIdle holds connections, from this process, whose progress tells when all of
// them are open.
func (r *rig) runIdle(ctx context.Context, w Work, p *peer, d time.Duration, progress *load.Progress) (outcome, error) {
	res, err := load.Run(ctx, load.Spec{Test: load.TCPIdle, Target: p.at(portServe), Duration: d, Flows: w.flows, Timeout: idleWait,
		Enter: p.lab.Client.Do}, progress)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return outcome{}, err
	}
	return outcomeOf(w, res), nil
}

// idleWait is how long an idle connection may take to answer: thousands ask at once.
const idleWait = 10 * time.Second

func outcomeOf(w Work, res load.Result) outcome {
	o := outcome{units: float64(res.Units), seconds: res.Seconds, latency: map[Metric]float64{}}
	if l := res.Latency; l != nil && w.load != idle {
		o.events = float64(l.Count)
		// The curve's points lie at 75, 87.5, 93.75 and so on: of the others here only
		// the summary knows the exact value.
		for m, us := range map[Metric]float64{P50: l.P50US, P75: at(l.Percentiles, 75), P90: l.P90US,
			P99: l.P99US, P999: l.P999US, P9999: l.P9999US} {
			o.latency[m] = us / 1e6
		}
	}
	if res.Sent > 0 {
		o.lost = float64(res.Faults.Lost) / float64(res.Sent)
	}
	faults := res.Failures
	if res.Faults.Errors > 0 {
		faults = append(faults, fmt.Sprintf("%d errors, the first: %s", res.Faults.Errors, res.Faults.FirstError))
	}
	if w.load == idle && int(res.Units) < w.flows {
		faults = append(faults, fmt.Sprintf("held %d of %d connections", res.Units, w.flows))
	}
	o.fault = strings.Join(faults, "; ")
	return o
}

// at reads a percentile curve: its first point at or beyond the percentage, in
// microseconds.
func at(curve []load.Percentile, percent float64) float64 {
	for _, p := range curve {
		if p.Percent >= percent {
			return p.US
		}
	}
	if len(curve) == 0 {
		return 0
	}
	return curve[len(curve)-1].US
}
