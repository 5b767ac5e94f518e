package load

import (
	"fmt"
	"time"
)

// Schema names the form of a Result as JSON. Fields may be added; a change of
// meaning changes the number.
const Schema = "sluice-bench/load/1"

// Result is what one load measured. Its JSON is documented in the package's doc.
type Result struct {
	Schema        string    `json:"schema"`
	Start         time.Time `json:"start"`
	Spec          Spec      `json:"spec"`
	Seconds       float64   `json:"seconds"`
	Unit          string    `json:"unit"`
	Sent          uint64    `json:"sent"`
	Units         uint64    `json:"units"`
	Rate          float64   `json:"units_per_second"`
	BytesSent     uint64    `json:"bytes_sent"`
	BytesReceived uint64    `json:"bytes_received"`
	BitsPerSecond float64   `json:"bits_per_second"`
	Latency       *Latency  `json:"latency,omitempty"`
	JitterUS      float64   `json:"jitter_us,omitempty"`
	Faults        Faults    `json:"faults"`
	ToolCPU       float64   `json:"tool_cpu_seconds"`
	Ceiling       *Ceiling  `json:"ceiling,omitempty"`
	OK            bool      `json:"ok"`
	Failures      []string  `json:"failures,omitempty"`
}

// Faults counts what went wrong, each cause apart.
type Faults struct {
	Lost        uint64 `json:"lost"`         // datagrams or requests without an answer, or (open loop) due and never sent
	Duplicate   uint64 `json:"duplicate"`    // datagrams that came again
	Reordered   uint64 `json:"reordered"`    // datagrams that came after a later one
	Corrupt     uint64 `json:"corrupt"`      // payloads with a wrong checksum or form
	Mixed       uint64 `json:"mixed"`        // payloads of another flow
	WrongSource uint64 `json:"wrong_source"` // datagrams from another address than was asked
	Short       uint64 `json:"short"`        // bytes of a stream that did not arrive, or out of order
	Errors      uint64 `json:"errors"`       // connections refused, reset or timed out, and local failures
	FirstError  string `json:"first_error,omitempty"`
}

// add sums two sets of faults.
func (f *Faults) add(g Faults) {
	f.Lost += g.Lost
	f.Duplicate += g.Duplicate
	f.Reordered += g.Reordered
	f.Corrupt += g.Corrupt
	f.Mixed += g.Mixed
	f.WrongSource += g.WrongSource
	f.Short += g.Short
	f.Errors += g.Errors
	if f.FirstError == "" {
		f.FirstError = g.FirstError
	}
}

// fail counts an error and keeps the text of the first.
func (f *Faults) fail(err error) {
	f.Errors++
	if f.FirstError == "" {
		f.FirstError = err.Error()
	}
}

// grave are the faults that no network may have: they fail every run.
func (f *Faults) grave() []string {
	var list []string
	for _, g := range []struct {
		n    uint64
		text string
	}{
		{f.Corrupt, "corrupt payloads"}, {f.Mixed, "payloads of another flow"},
		{f.WrongSource, "datagrams from a wrong source"}, {f.Short, "bytes of streams missing or out of order"},
	} {
		if g.n > 0 {
			list = append(list, fmt.Sprintf("%d %s", g.n, g.text))
		}
	}
	return list
}

// Ceiling is what the same load reached without a proxy.
type Ceiling struct {
	Target        string   `json:"target"`
	Rate          float64  `json:"units_per_second"`
	BitsPerSecond float64  `json:"bits_per_second"`
	Latency       *Latency `json:"latency,omitempty"`
}

// tally is what one worker counts. Its worker owns it until it ends.
type tally struct {
	sent, units       uint64
	bytesOut, bytesIn uint64
	faults            Faults
	latency           recorder
	jitter            time.Duration // the sum over flows
	jitterOf          int           // flows in that sum
}

func (t *tally) add(o *tally) {
	t.sent += o.sent
	t.units += o.units
	t.bytesOut += o.bytesOut
	t.bytesIn += o.bytesIn
	t.faults.add(o.faults)
	t.latency.merge(&o.latency)
	t.jitter += o.jitter
	t.jitterOf += o.jitterOf
}

// result makes the Result of a load that took d.
func (t *tally) result(s Spec, start time.Time, d time.Duration, cpu time.Duration) Result {
	r := Result{Schema: Schema, Start: start, Spec: s, Seconds: d.Seconds(), Unit: s.unit(), Sent: t.sent, Units: t.units,
		BytesSent: t.bytesOut, BytesReceived: t.bytesIn, Faults: t.faults, Latency: t.latency.summary(), ToolCPU: cpu.Seconds()}
	if d > 0 {
		r.Rate = float64(r.Units) / d.Seconds()
		r.BitsPerSecond = 8 * float64(r.delivered()) / d.Seconds()
	}
	if t.jitterOf > 0 {
		r.JitterUS = float64(t.jitter.Nanoseconds()) / float64(t.jitterOf) / 1e3
	}
	r.Failures = r.Faults.grave()
	if r.Units == 0 {
		r.Failures = append(r.Failures, fmt.Sprintf("nothing came through; does 'sluice-bench serve' run at %s, and does the way lead there?", r.Spec.Target))
	}
	r.OK = len(r.Failures) == 0
	return r
}

// delivered is the payload that reached its end and was verified, in bytes.
func (r *Result) delivered() uint64 {
	if r.Unit == "byte" {
		return r.Units
	}
	if r.Spec.oneWay() {
		return r.Units * uint64(r.Spec.Size)
	}
	return r.BytesReceived
}

// unit is what Units counts.
func (s Spec) unit() string {
	switch s.Test {
	case TCPStream:
		return "byte"
	case TCPRR:
		return "request"
	case TCPCRR, TCPIdle:
		return "connection"
	}
	return "datagram"
}

// oneWay tells that no answer is expected.
func (s Spec) oneWay() bool { return s.Test == UDPStream || s.Test == UDPFlood }
