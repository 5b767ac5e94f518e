package compare_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/bench/compare"
	"sluice/bench/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// programs builds sluice and sluice-bench.
func programs(t *testing.T) (sluice, bench string) {
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", dir, "sluice/cmd/sluice", "sluice/cmd/sluice-bench").CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	return filepath.Join(dir, "sluice"), filepath.Join(dir, "sluice-bench")
}

func options(t *testing.T) compare.Options {
	if err := lab.For(t, lab.Options{}).Close(); err != nil { // skips where labs cannot be made
		t.Fatal(err)
	}
	sluice, bench := programs(t)
	return compare.Options{Sluice: sluice, Program: bench, Kinds: []string{compare.Direct}, Base: []string{compare.Direct},
		Rounds: 1, Duration: time.Second, Progress: t.Output()}
}

func TestSluiceBesideDirect(t *testing.T) {
	o := options(t)
	o.Works = []string{"bulk-1-down", "http-1", "udp-16"}
	res, err := compare.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Peers {
		if p.LeftOut != "" || len(p.Checks) != len(compare.CheckNames())-1 { // but for whether it shows the client
			t.Errorf("%s: left out: %q, %d checks", p.Name, p.LeftOut, len(p.Checks))
		}
		for _, c := range p.Checks {
			if c.Verdict != compare.Right {
				t.Errorf("%s: %s is %s: %s", p.Name, c.Name, c.Verdict, c.Detail)
			}
		}
	}
	if want := len(o.Works) - 1 + len(res.Congestion); len(res.Works) != want { // bulk streams with each congestion control
		t.Fatalf("%d works, want %d", len(res.Works), want)
	}
	for _, w := range res.Works {
		row := w.Row("sluice")
		if fault := row.Faults(); fault != "" {
			t.Errorf("%s: %s", w.Key, fault)
		}
		for _, m := range []compare.Metric{compare.Rate, compare.ProxyCPU, compare.MachineCPU, compare.RSS, compare.PSS, compare.FDs} {
			if row.Summary[m].Median <= 0 {
				t.Errorf("%s: no %s", w.Key, m)
			}
		}
		if row.Ratio[compare.Rate].N != 1 || w.Row(compare.Direct).Ratio[compare.Rate].Median != 1 {
			t.Errorf("%s: ratios %v", w.Key, row.Ratio)
		}
	}
}

// A reverse proxy's server sees the client, whichever proxy it is, and so does that
// of a sluice with the client's source.
func TestRolesShowTheClient(t *testing.T) {
	o := options(t)
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("haproxy is not installed: apt-get install haproxy")
	}
	o.Kinds, o.Base = []string{compare.HAProxy}, []string{compare.HAProxy}
	o.Works = []string{"reverse-crr-50", "source-udp-16"}
	res, err := compare.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range res.Peers {
		names = append(names, p.Name)
		if p.LeftOut != "" {
			t.Errorf("%s: left out: %s", p.Name, p.LeftOut)
		}
		for _, c := range p.Checks {
			if c.Verdict != compare.Right && p.Kind == "sluice" {
				t.Errorf("%s: %s is %s: %s", p.Name, c.Name, c.Verdict, c.Detail)
			}
		}
		if shown := p.Check("client shown"); shown.Verdict != compare.Right && !strings.HasSuffix(p.Name, compare.Gateway) {
			t.Errorf("%s: %+v", p.Name, shown)
		}
	}
	want := []string{"reverse sluice --source client", "reverse sluice --source client --install-rules", "reverse sluice --source gateway", compare.ReverseHAProxy,
		"sluice --source client", "sluice --source gateway"}
	if !slices.Equal(names, want) {
		t.Errorf("peers %q, want %q", names, want)
	}
	for key, base := range map[string]string{"reverse-crr-50": compare.ReverseHAProxy, "source-udp-16": "sluice --source gateway"} {
		w := res.Work(key)
		if w == nil || w.Base != base {
			t.Fatalf("%s: base of %+v, want %s", key, w, base)
		}
		for _, row := range w.Rows {
			if row.Faults() != "" || row.Summary[compare.Rate].Median <= 0 || row.Summary[compare.ProxyCPU].Median <= 0 {
				t.Errorf("%s, %s: %s %v", key, row.Peer, row.Faults(), row.Summary)
			}
		}
	}
	for _, v := range res.Targets {
		if v.Verdict == compare.Unknown || strings.HasSuffix(v.Peer, compare.Gateway) {
			t.Errorf("%+v", v)
		}
	}
}

// What goes through SOCKS5 and what a sluice leaves to the kernel is right, and each is
// held against its like.
func TestRolesOfRoutes(t *testing.T) {
	o := options(t)
	o.Kinds, o.Base = nil, nil
	o.Works = []string{"socks-crr-50", "socks-udp-16", "kernel-udp-16"}
	res, err := compare.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Peers {
		if p.LeftOut != "" {
			t.Errorf("%s: left out: %s", p.Name, p.LeftOut)
		}
		for _, c := range p.Checks {
			if c.Verdict != compare.Right {
				t.Errorf("%s: %s is %s: %s", p.Name, c.Name, c.Verdict, c.Detail)
			}
		}
	}
	for key, peers := range map[string]int{"socks-crr-50": 2, "socks-udp-16": 1, "kernel-udp-16": 2} {
		w := res.Work(key)
		if w == nil || len(w.Rows) != peers {
			t.Errorf("%s: %+v, want %d peers", key, w, peers)
			continue
		}
		for _, row := range w.Rows {
			if row.Faults() != "" || row.Summary[compare.Rate].Median <= 0 {
				t.Errorf("%s, %s: %s %v", key, row.Peer, row.Faults(), row.Summary)
			}
		}
	}
}

func TestInterruptKeepsWhatWasDone(t *testing.T) {
	o := options(t)
	o.Works = []string{"http-1", "udp-1"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.Progress = afterLines{cancel, []byte("udp-1")}
	o.Rounds = 1
	res, err := compare.Run(ctx, o)
	if !errors.Is(err, compare.ErrIncomplete) {
		t.Errorf("error %v, want ErrIncomplete", err)
	}
	if res == nil || len(res.Works) != 1 || res.Works[0].Key != "http-1" {
		t.Errorf("result %+v, want http-1 alone", res)
	}
}

// afterLines calls cancel at the first line that begins with prefix.
type afterLines struct {
	cancel context.CancelFunc
	prefix []byte
}

func (a afterLines) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, a.prefix) {
		a.cancel()
	}
	return len(b), nil
}
