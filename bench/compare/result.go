package compare

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Schema names the form of a Result as JSON.
const Schema = "sluice-bench/compare/1"

// Result is a whole comparison. The package's doc describes its JSON.
type Result struct {
	Schema       string       `json:"schema"`
	Start        time.Time    `json:"start"`
	Seconds      float64      `json:"seconds"`
	Machine      Machine      `json:"machine"`
	Base         []string     `json:"base"`
	Congestion   []string     `json:"congestion_controls,omitempty"` // of all works the first, of bulk streams each
	Rounds       int          `json:"rounds"`
	RoundSeconds float64      `json:"round_seconds"`
	Peers        []Peer       `json:"peers"`
	Works        []WorkResult `json:"works"`
	Targets      []Verdict    `json:"targets,omitempty"`
}

// Machine is where it was measured.
type Machine struct {
	Kernel    string `json:"kernel"`
	CPU       string `json:"cpu"`
	CPUs      int    `json:"cpus"`
	Memory    uint64 `json:"memory_bytes"`
	FileLimit uint64 `json:"file_limit"`         // open files per process
	TCP       string `json:"congestion_control"` // what sockets have by default
}

// Peer is one of those compared.
type Peer struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"`
	Way     Way      `json:"way"`
	Role    Role     `json:"role,omitempty"` // of the works that it takes part in
	Version string   `json:"version,omitempty"`
	Command []string `json:"command,omitempty"`
	Note    string   `json:"note,omitempty"`     // what one must know to read its numbers
	LeftOut string   `json:"left_out,omitempty"` // why it was not measured
	Checks  []Check  `json:"checks,omitempty"`
}

// Way is how traffic gets to a peer.
type Way string

// The ways.
const (
	TProxy   Way = "tproxy"
	Redirect Way = "redirect"
	Forward  Way = "forward"
	Front    Way = "front" // clients address it
)

// Check is the answer to one question of correctness.
type Check struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"` // ok, wrong, none
	Detail  string `json:"detail,omitempty"`
}

// Verdicts of a check.
const (
	Right  = "ok"
	Wrong  = "wrong"
	Absent = "none"
)

// WorkResult is a work and what each peer did of it.
type WorkResult struct {
	Work
	Base    string    `json:"base,omitempty"` // the first of the Result's that took part, else another that did
	Rows    []Row     `json:"rows"`
	LeftOut []LeftOut `json:"left_out,omitempty"`
}

// LeftOut is a peer that could take no part in a work that is of its kind.
type LeftOut struct {
	Peer string `json:"peer"`
	Why  string `json:"why"`
}

// Row is one peer in one work.
type Row struct {
	Peer    string            `json:"peer"`
	Samples []Sample          `json:"samples"`
	Summary map[Metric]Spread `json:"summary"`
	Ratio   map[Metric]Spread `json:"ratio,omitempty"` // to the base, paired by round
}

// Sample is one peer in one work in one round.
type Sample struct {
	Round  int                `json:"round"`
	Values map[Metric]float64 `json:"values"`
	Fault  string             `json:"fault,omitempty"` // what went wrong; its values still count
}

// Metric names a value.
type Metric string

// The metrics; the package's doc has their units.
const (
	Rate       Metric = "rate"
	ProxyCPU   Metric = "proxy_cpu"
	MachineCPU Metric = "machine_cpu"
	P50        Metric = "p50"
	P75        Metric = "p75"
	P90        Metric = "p90"
	P99        Metric = "p99"
	P999       Metric = "p99.9"
	P9999      Metric = "p99.99"
	RSS        Metric = "rss"
	PSS        Metric = "pss"
	FDs        Metric = "fds"
	Lost       Metric = "lost"
)

// Percentiles are the latency metrics with their percentage, in order.
func Percentiles() []struct {
	Metric  Metric
	Percent float64
} {
	return []struct {
		Metric  Metric
		Percent float64
	}{{P50, 50}, {P75, 75}, {P90, 90}, {P99, 99}, {P999, 99.9}, {P9999, 99.99}}
}

// Read reads a Result from its JSON.
func Read(r io.Reader) (*Result, error) {
	var res Result
	if err := json.NewDecoder(r).Decode(&res); err != nil {
		return nil, fmt.Errorf("comparison: %w", err)
	}
	if res.Schema != Schema {
		return nil, fmt.Errorf("comparison: schema %q, want %q", res.Schema, Schema)
	}
	return &res, nil
}

// Write writes the Result as JSON.
func (r *Result) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// Row finds a peer's row; nil where it has none.
func (w *WorkResult) Row(peer string) *Row {
	for i := range w.Rows {
		if w.Rows[i].Peer == peer {
			return &w.Rows[i]
		}
	}
	return nil
}

// Work finds a work by its key that is not part of a sweep; nil where there is none.
func (r *Result) Work(key string) *WorkResult {
	for i := range r.Works {
		if r.Works[i].Key == key && r.Works[i].Sweep == "" {
			return &r.Works[i]
		}
	}
	return nil
}

// bases are the peers that the ratios of a work may refer to: those asked for, in a
// role its own, else any other proxy that took part, the kernel alone, a sluice.
func (w *WorkResult) bases(asked []string) []string {
	all := slices.Clone(asked)
	switch w.Role {
	case Reverse:
		all = append(all, ReverseHAProxy)
	case Socks:
		all = append(all, SocksSingBox)
	case Kernel:
		all = append(all, Plain)
	}
	for _, row := range w.Rows {
		if w.Role != "" && isYardstick(row.Peer) {
			all = append(all, row.Peer)
		}
	}
	if w.Role != "" {
		return all
	}
	all = append(all, Kinds()[1:]...)
	all = append(all, Direct) // last: it has no CPU and no memory to hold against
	if len(w.Rows) > 1 {
		all = append(all, w.Rows[0].Peer)
	}
	return all
}

// Settle sums up the samples: summaries, ratios to the base, and targets.
func (r *Result) Settle() {
	for i := range r.Works {
		w := &r.Works[i]
		var base *Row
		w.Base = ""
		for _, name := range w.bases(r.Base) {
			if base = w.Row(name); base != nil {
				w.Base = name
				break
			}
		}
		for j := range w.Rows {
			row := &w.Rows[j]
			row.Summary = summarize(row.Samples)
			row.Ratio = nil
			if base != nil {
				row.Ratio = Ratios(row.Samples, base.Samples)
			}
		}
	}
	r.Targets = r.judge(Targets())
}
