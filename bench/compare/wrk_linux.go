package compare

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// wrkScript makes wrk say what it measured as JSON. wrk counts in microseconds.
const wrkScript = `done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\n{"requests":%d,"us":%d,"errors":%d,"latency_us":{', summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout))
  for i, p in ipairs({50, 75, 90, 99, 99.9, 99.99}) do
    io.write(string.format('%s"%g":%d', i > 1 and "," or "", p, latency:percentile(p)))
  end
  io.write("}}\n")
end
`

// wrkReport is what the script writes.
type wrkReport struct {
	Requests float64            `json:"requests"`
	US       float64            `json:"us"`
	Errors   int                `json:"errors"`
	Latency  map[string]float64 `json:"latency_us"`
}

// connectTime is what a connection adds to the length of the load: wrk opens them
// within it.
const connectTime = 500 * time.Microsecond

// runWrk loads nginx through the target port.
func (r *rig) runWrk(ctx context.Context, w Work, p *peer, d time.Duration) (outcome, error) {
	script := filepath.Join(r.dir, "report.lua")
	if err := os.WriteFile(script, []byte(wrkScript), 0o644); err != nil {
		return outcome{}, err
	}
	d += time.Duration(w.flows) * connectTime
	args := []string{"-t", strconv.Itoa(min(2, w.flows)), "-c", strconv.Itoa(w.flows), "-d", fmt.Sprintf("%ds", seconds(d)),
		"--timeout", "5s", "-s", script}
	if w.load == wrkClose {
		args = append(args, "-H", "Connection: close")
	}
	out, err := p.client(ctx, d, "wrk", append(args, fmt.Sprintf("http://%s/", p.at(portHTTP)))...)
	if err != nil {
		return outcome{}, err
	}
	return parseWrk(out)
}

func parseWrk(out []byte) (outcome, error) {
	var rep wrkReport
	if err := json.Unmarshal(lastLine(out), &rep); err != nil {
		return outcome{}, fmt.Errorf("wrk's report: %w: %s", err, out)
	}
	o := outcome{units: rep.Requests, seconds: rep.US / 1e6, latency: map[Metric]float64{}, events: rep.Requests}
	for _, p := range Percentiles() {
		o.latency[p.Metric] = rep.Latency[fmt.Sprintf("%g", p.Percent)] / 1e6
	}
	if rep.Errors > 0 {
		o.fault = fmt.Sprintf("wrk: %d errors", rep.Errors)
	}
	return o, nil
}
