package compare

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata anew")

// example is a Result with a value in every field.
func example() *Result {
	sample := func(round int, rate, cpu float64) Sample {
		return Sample{Round: round, Values: map[Metric]float64{Rate: rate, ProxyCPU: cpu, P99: 0.002}}
	}
	works := withCongestion(Works(), []string{"bbr", "cubic"})
	find := func(key string) Work {
		for _, w := range works {
			if w.Key == key {
				return w
			}
		}
		panic(key)
	}
	sweep := sweepWorks(SweepSize, 2, 20000)[0]
	r := &Result{
		Schema: Schema, Start: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC), Seconds: 61.5,
		Machine: Machine{Kernel: "6.18.0", CPU: "a CPU", CPUs: 2, Memory: 8 << 30, FileLimit: 20000, TCP: "bbr"},
		Base:    []string{HAProxy, SingBox}, Congestion: []string{"bbr", "cubic"}, Rounds: 3, RoundSeconds: 1,
		Peers: []Peer{
			{Name: "sluice", Kind: "sluice", Way: TProxy, Version: "sluice 1", Command: []string{"sluice", "run"},
				Checks: []Check{{Name: checkHalf, Verdict: Right}, {Name: checkReset, Verdict: Wrong, Detail: "an orderly end"}}},
			{Name: HAProxy, Kind: HAProxy, Way: TProxy, Note: "TCP only", Checks: []Check{{Name: checkSizes, Verdict: Absent}}},
			{Name: "xray", Kind: "xray", Way: TProxy, LeftOut: "xray is not installed"},
		},
		Works: []WorkResult{
			{Work: find("http-100"), Rows: []Row{
				{Peer: "sluice", Samples: []Sample{sample(0, 120, 8e-6), sample(1, 110, 9e-6), sample(2, 260, 9e-6)}},
				{Peer: HAProxy, Samples: []Sample{sample(0, 100, 10e-6), sample(1, 100, 10e-6), {Round: 2, Values: map[Metric]float64{Rate: 200, ProxyCPU: 10e-6, P99: 0.001}, Fault: "wrk: 2 errors"}}},
			}},
			{Work: find("idle-5000"), Rows: []Row{{Peer: "sluice", Samples: []Sample{{Values: map[Metric]float64{RSS: 12e6, PSS: 11e6, FDs: 10020}}}}},
				LeftOut: []LeftOut{{"redsocks", "holds 2500 of 5000 connections at this limit of open files"}}},
			{Work: find("bulk-1-up-cubic"), Rows: []Row{{Peer: "sluice", Samples: []Sample{sample(0, 4.5, 0.2)}}}},
			{Work: sweep, Rows: []Row{{Peer: "sluice", Samples: []Sample{sample(0, 1e5, 1e-6)}}}},
		},
	}
	r.Settle()
	return r
}

func TestJSONIsAsDocumented(t *testing.T) {
	const golden = "testdata/result.json"
	var b bytes.Buffer
	if err := example().Write(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("the JSON has changed (a change of meaning needs another schema): %s", d)
	}
}

func TestReadGivesBackWhatWasWritten(t *testing.T) {
	want := example()
	var b bytes.Buffer
	if err := want.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Works { // how to load is not in the file
		w := &want.Works[i].Work
		*w = Work{Key: w.Key, Title: w.Title, Unit: w.Unit, Transport: w.Transport, Congestion: w.Congestion, Sweep: w.Sweep, X: w.X, Memory: w.Memory}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v\nwant %+v", got, want)
	}
	if _, err := Read(bytes.NewBufferString(`{"schema":"other"}`)); err == nil {
		t.Error("another schema was read")
	}
}

func TestTextNamesWhatMatters(t *testing.T) {
	var b bytes.Buffer
	if err := example().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"2 CPUs, TCP with bbr, bulk streams with cubic too. Up to", "1 bulk stream, upwards, cubic [bulk-1-up-cubic]", "HTTP keep-alive, 100 connections", "120/s ±62% 1.20x", "! 1 of 3 rounds: wrk: 2 errors",
		"sluice, reset: an orderly end", "left out: xray is not installed", "1.20x haproxy", "enough"} {
		if !bytes.Contains(b.Bytes(), []byte(want)) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
