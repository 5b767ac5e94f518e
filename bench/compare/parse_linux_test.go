package compare

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/bench/load"
	"sluice/bench/program"
)

func TestWrkReport(t *testing.T) {
	o, err := parseWrk([]byte("Running 1s test\n\n{\"requests\":2000,\"us\":1000000,\"errors\":3,\"latency_us\":{\"50\":100,\"75\":150,\"90\":200,\"99\":1000,\"99.9\":2000,\"99.99\":3000}}\n"))
	if err != nil || o.units != 2000 || o.seconds != 1 || o.latency[P99] != 1e-3 || o.latency[P9999] != 3e-3 || o.fault != "wrk: 3 errors" {
		t.Errorf("%+v %v", o, err)
	}
	if _, err := parseWrk([]byte("unable to connect")); err == nil {
		t.Error("no report was a report")
	}
	s := Sample{Values: map[Metric]float64{}}
	s.addOutcome(Work{}, o)
	if _, ok := s.Values[P99]; !ok || s.Values[Rate] != 2000 {
		t.Errorf("values %v", s.Values)
	}
	if _, ok := s.Values[P9999]; ok {
		t.Error("p99.99 of 2000 requests")
	}
}

func TestIperfReport(t *testing.T) {
	o, err := parseIperf([]byte(`{"end":{"sum_received":{"seconds":2,"bytes":5000000000}}}`))
	if err != nil || o.units != 5 || o.seconds != 2 {
		t.Errorf("%+v %v", o, err)
	}
	if _, err := parseIperf([]byte(`{"error":"unable to connect"}`)); err == nil || !strings.Contains(err.Error(), "unable") {
		t.Errorf("error %v", err)
	}
}

func TestOwnResult(t *testing.T) {
	res := load.Result{Units: 900, Sent: 1000, Seconds: 2, Failures: []string{"3 corrupt payloads"},
		Latency: &load.Latency{Count: 900, P50US: 2, P90US: 5, P99US: 9, // the curve has no points at 90 and 99
			Percentiles: []load.Percentile{{Percent: 50, US: 2}, {Percent: 75, US: 4}, {Percent: 93.75, US: 6}, {Percent: 99.21875, US: 12}}}}
	res.Faults.Lost = 100
	o := outcomeOf(Work{load: echo}, res)
	if o.units != 900 || o.lost != 0.1 || o.fault != "3 corrupt payloads" ||
		o.latency[P50] != 2e-6 || o.latency[P75] != 4e-6 || o.latency[P90] != 5e-6 || o.latency[P99] != 9e-6 {
		t.Errorf("%+v", o)
	}
}

func TestMachineTime(t *testing.T) {
	before, err := machineTime()
	used := program.Process(os.Getpid()).CPU()
	for begin := time.Now(); time.Since(begin) < 100*time.Millisecond; {
	}
	after, later := machineTime()
	took := program.Process(os.Getpid()).CPU() - used
	if err != nil || later != nil || after-before < took-20*time.Millisecond { // two ticks
		t.Errorf("%v of %v: %v, %v", after-before, took, err, later)
	}
}

func TestSpentForgetsThreadsThatEnded(t *testing.T) {
	got := spent(map[int]time.Duration{1: 10, 2: 50}, map[int]time.Duration{1: 15, 3: 7})
	if got != 12 {
		t.Errorf("%v, want 12ns", got)
	}
}

func TestMemory(t *testing.T) {
	m, err := readMemory(os.Getpid())
	if err != nil || m.pss == 0 || m.rss < m.pss || m.fds < 3 {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := readMemory(1 << 29); err == nil {
		t.Errorf("a process that there is not: %+v", m)
	}
}

func TestRules(t *testing.T) {
	var all []recipe
	var seats []seat
	for i, kind := range Kinds() {
		s := seat{index: i, dir: "/d", fileLimit: 20000}
		all, seats = append(all, recipeOf(kind, s)), append(seats, s)
	}
	rules := divertRules(all, seats)
	for _, want := range []string{
		"20010-20019 : goto peer1",                          // haproxy, TCP only
		"meta l4proto tcp meta mark set 1 tproxy to :12010", //
		"meta l4proto { tcp, udp } th dport 20022 redirect to :12022",
		"meta l4proto tcp th dport 20030-20039 redirect to :12030",
		"th dport { 20020-20029, 20030-20039 } accept",
	} {
		if !strings.Contains(rules, want) {
			t.Errorf("no %q in\n%s", want, rules)
		}
	}
	if strings.Contains(rules, "20000") {
		t.Error("direct is diverted")
	}
	if rules := divertRules(all[:2], seats[:2]); strings.Contains(rules, "notrack") || strings.Contains(rules, "nat") {
		t.Errorf("conntrack without a redirect:\n%s", rules)
	}
}

func TestRecipes(t *testing.T) {
	for i, kind := range Kinds() {
		r := recipeOf(kind, seat{index: i, dir: "/d", fileLimit: 20000})
		if r.Name != kind || r.Kind != kind {
			t.Errorf("recipe of %s is %s, %s", kind, r.Name, r.Kind)
		}
		for name, text := range r.files {
			if strings.HasSuffix(name, ".json") && !json.Valid([]byte(text)) {
				t.Errorf("%s: not JSON:\n%s", name, text)
			}
		}
	}
	r := sluice(Variant{Name: "v", Program: "/old", Flags: []string{"--relay=copy"}}, "/new", seat{index: 3, fileLimit: 20000})
	if r.conns != 5000 || maxConns([]string{"--x", "--max-conns", "9500"}, 20000) != 9500 || maxConns([]string{"--max-conns=7"}, 20000) != 7 || maxConns([]string{"--reactors", "1"}, 20000) != 5000 {
		t.Errorf("connections: %d", r.conns)
	}
	if r.program != "/old" || !slices.Contains(r.args, "--relay=copy") || !slices.Contains(r.args, "--tproxy=:12030") {
		t.Errorf("variant %+v", r)
	}
}

func TestWorksAreChosen(t *testing.T) {
	count := func(o Options) int {
		list, err := o.works()
		if err != nil {
			t.Error(err)
		}
		return len(list)
	}
	if n := count(Options{}); n != len(Works()) {
		t.Errorf("%d works without a choice", n)
	}
	if n := count(Options{Works: []string{"udp-1"}, Sweeps: []string{SweepReactors}}); n < 3 {
		t.Errorf("%d works, want udp-1 and at least one point of two sweeps", n)
	}
	list, _ := Options{Works: []string{"udp-new", "idle-5000"}}.works()
	if len(list) != 2 || list[0].Key != "idle-5000" {
		t.Errorf("order %v", list)
	}
	for _, o := range []Options{{Works: []string{"no"}}, {Sweeps: []string{"no"}}} {
		if _, err := o.works(); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
