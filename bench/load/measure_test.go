//go:build linux

package load

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// The histogram agrees with a known distribution: exponential, mean 1 ms, whose
// quantile q is -ln(1-q) ms. Two recorders are merged.
func TestHistogramAgreesWithADistribution(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var a, b recorder
	for i := range 2_000_000 {
		ns := int64(rng.ExpFloat64() * 1e6)
		if i%2 == 0 {
			a.record(ns)
		} else {
			b.record(ns)
		}
	}
	a.merge(&b)
	l := a.summary()
	for q, got := range map[float64]float64{0.50: l.P50US, 0.90: l.P90US, 0.99: l.P99US, 0.999: l.P999US} {
		want := -math.Log(1-q) * 1000
		if math.Abs(got-want) > 0.02*want {
			t.Errorf("p%v: %v us, want %v", 100*q, got, want)
		}
	}
	if math.Abs(l.MeanUS-1000) > 10 || math.Abs(l.StdDevUS-1000) > 10 || l.Count != 2_000_000 {
		t.Errorf("mean %v, deviation %v, count %d", l.MeanUS, l.StdDevUS, l.Count)
	}
	last := Percentile{}
	for _, p := range l.Percentiles {
		if p.Percent < last.Percent || p.US < last.US || p.Percent > 100 {
			t.Fatalf("curve falls at %+v after %+v", p, last)
		}
		last = p
	}
	if last.Percent < 99.99 {
		t.Errorf("curve ends at %v", last.Percent)
	}
}

func TestOutOfRangeLatencyIsKept(t *testing.T) {
	var r recorder
	r.record(-5)
	r.record(math.MaxInt64)
	if l := r.summary(); l.Count != 2 || l.MaxUS < 99e6 {
		t.Errorf("%+v", l)
	}
}

func TestPaceIsEven(t *testing.T) {
	p := newPace(1000)
	for now := int64(0); now < int64(time.Second); now += 12_345_678 {
		for range p.ready(now) {
			if due := p.due(p.next); due > now {
				t.Fatalf("unit %d, due at %d, is ready at %d", p.next, due, now)
			}
			p.next++
		}
		if w := p.wait(now); w <= 0 {
			t.Fatalf("nothing is ready at %d and the wait is %v", now, w)
		}
	}
	if p.next < 990 || p.next > 1000 {
		t.Errorf("%d units in a second", p.next)
	}
}

// The fields that the schema's first version names; none may go or change.
func TestJSONSchemaIsStable(t *testing.T) {
	r := Result{Schema: Schema, Latency: &Latency{Percentiles: []Percentile{{}}}, JitterUS: 1, Ceiling: &Ceiling{Latency: &Latency{}},
		Failures: []string{"x"}, Faults: Faults{FirstError: "x"}}
	r.Spec = Spec{Test: TCPRR, Target: netip.MustParseAddrPort("[::1]:1"), From: netip.MustParsePrefix("fd78::/64"), Reply: 1,
		Window: 1, Rate: 1, Think: 1, Direction: Up, Single: true}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	latency := "count max_us mean_us min_us p50_us p90_us p99_99_us p99_9_us p99_us percentiles stddev_us"
	for path, want := range map[string]string{
		"": "bits_per_second bytes_received bytes_sent ceiling failures faults jitter_us latency ok schema seconds sent spec start " +
			"tool_cpu_seconds unit units units_per_second",
		"spec":    "direction duration_ns flows from rate reply single size target test think_ns threads timeout_ns window",
		"faults":  "corrupt duplicate errors first_error lost mixed reordered short wrong_source",
		"latency": latency,
		"ceiling": "bits_per_second latency target units_per_second",
	} {
		at := got
		if path != "" {
			at = got[path].(map[string]any)
		}
		var keys []string
		for k := range at {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		if strings.Join(keys, " ") != want {
			t.Errorf("%q:\n got %v\nwant %s", path, keys, want)
		}
	}
	var back Result
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("%v: round trip gives %+v, want %+v", err, back, r)
	}
}

func TestExpectations(t *testing.T) {
	r := Result{Unit: "request", Sent: 1000, Units: 990, Rate: 9900, BitsPerSecond: 5e6, JitterUS: 3,
		Latency: &Latency{P50US: 100, P99US: 5000}, Faults: Faults{Lost: 10}}
	for text, holds := range map[string]bool{
		"p99<5ms": false, "p99<=5ms": true, "p50<101us,p99>1ms": true, "loss=0": false, "loss<1%": false, "loss<=1%": true,
		"loss=10": true, "rate>=9.9k": true, "rate>1M": false, "mbps=5": true, "corrupt=0, mixed=0": true, "jitter<2us": false,
		"units==990": true, "": true,
	} {
		list, err := ParseExpect(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got := r
		if got.Judge(list); got.OK != holds {
			t.Errorf("%q: ok %v: %v", text, got.OK, got.Failures)
		}
	}
	for _, bad := range []string{"p99", "<5", "p98<1ms", "p99<5", "loss<x", "rate>10q"} {
		if _, err := ParseExpect(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	streamed := Result{}
	list, _ := ParseExpect("p99<1s")
	if streamed.Judge(list); streamed.OK {
		t.Error("a latency that was not measured meets an expectation")
	}
}

func TestSpecRefusesNonsense(t *testing.T) {
	good := Spec{Test: UDPRR, Target: netip.MustParseAddrPort("10.0.0.1:1")}
	if _, err := good.Complete(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Spec){
		"test": func(s *Spec) { s.Test = "udp" }, "target": func(s *Spec) { s.Target = netip.AddrPort{} },
		"size": func(s *Spec) { s.Size = 10 }, "datagram": func(s *Spec) { s.Size = 65508 },
		"family":  func(s *Spec) { s.From = netip.MustParsePrefix("fd00::/8") },
		"flood":   func(s *Spec) { s.Test, s.Duration = UDPFlood, time.Minute },
		"forever": func(s *Spec) { s.Duration = 2 * time.Hour }, "window": func(s *Spec) { s.Window = 1 << 20 },
		"rate": func(s *Spec) { s.Rate = math.NaN() }, "endless rate": func(s *Spec) { s.Rate = math.Inf(1) },
		"threads": func(s *Spec) { s.Threads = -1 }, "nowhere": func(s *Spec) { s.Test, s.Direction = TCPStream, "sideways" },
		"flood down":  func(s *Spec) { s.Test, s.Direction = UDPFlood, Down },
		"not its own": func(s *Spec) { s.Think = time.Second },
	} {
		s := good
		if spoil(&s); func() error { _, err := s.Complete(); return err }() == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestSourcesStayInTheirPrefix(t *testing.T) {
	for _, prefix := range []string{"10.78.0.0/16", "10.78.1.0/30", "10.78.1.1/32", "fd78::/64", "fd78::/127"} {
		s := Spec{From: netip.MustParsePrefix(prefix)}
		seen := map[netip.AddrPort]bool{}
		for i := range 300 {
			a := s.source(i)
			if !s.From.Contains(a.Addr()) || a.Port() != 0 {
				t.Errorf("%s: %v", prefix, a)
			}
			seen[a] = true
		}
		if bits := s.From.Addr().BitLen() - s.From.Bits(); bits > 9 && len(seen) != 300 {
			t.Errorf("%s: %d sources", prefix, len(seen))
		}
	}
}
