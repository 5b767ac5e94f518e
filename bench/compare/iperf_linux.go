package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// iperfReport is the part of iperf3's JSON that matters here.
type iperfReport struct {
	Error string `json:"error"`
	End   struct {
		Received struct {
			Seconds float64 `json:"seconds"`
			Bytes   float64 `json:"bytes"`
		} `json:"sum_received"`
	} `json:"end"`
}

// runIperf sends streams through the target port to a server of its own, so that
// a load that was cut off cannot keep the next one out.
func (r *rig) runIperf(ctx context.Context, w Work, p *peer, d time.Duration) (outcome, error) {
	target, port := p.at(portIperf), p.dest()+portIperf
	server, err := start(p.lab.Server, "iperf3 (server)", "iperf3", "--server", "--one-off", "--port", strconv.Itoa(int(port)))
	if err != nil {
		return outcome{}, err
	}
	defer server.stop()
	if err := server.listens(ctx, []uint16{port}, nil); err != nil {
		return outcome{}, err
	}
	args := []string{"--client", target.Addr().String(), "--port", strconv.Itoa(int(target.Port())),
		"--time", strconv.Itoa(seconds(d)), "--parallel", strconv.Itoa(w.flows), "--zerocopy", "--json"}
	if w.down {
		args = append(args, "--reverse")
	}
	out, err := p.client(ctx, d, "iperf3", args...)
	if err != nil {
		return outcome{}, err
	}
	return parseIperf(out)
}

func parseIperf(out []byte) (outcome, error) {
	var rep iperfReport
	if err := json.Unmarshal(out, &rep); err != nil {
		return outcome{}, fmt.Errorf("iperf3's report: %w: %s", err, out)
	}
	if rep.Error != "" || rep.End.Received.Seconds == 0 {
		return outcome{}, fmt.Errorf("iperf3: %q", rep.Error)
	}
	return outcome{units: rep.End.Received.Bytes / 1e9, seconds: rep.End.Received.Seconds}, nil
}
