package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/cmd/sluice/api"
	"sluice/cmd/sluice/usage"
	"sluice/redir/count"
)

// full is a snapshot in which everything is there.
func full() Snapshot {
	s := Snapshot{
		Status: api.Status{
			Version: "v1.2", State: "serving", Started: time.Unix(1_700_000_000, 500_000_000), Engine: "epoll", Reactors: 2,
			Inbounds:  []api.Inbound{{Tag: "tproxy :1", Type: "tproxy", Listen: ":1"}},
			Outbounds: []api.Outbound{{Tag: "proxy", Up: true}, {Tag: "a \"b\"\\\n\xff", Up: false}},
			Rules:     api.Rules{Installed: true, Effective: true, Zones: []int{115}},
			Limits:    api.Limits{Connections: 1000, Sessions: 500, FDs: 4096, Pipes: 64},
			Use:       api.Use{FDs: 77, Pipes: 3, Dialing: 5, Stalled: 1},
			Kernel:    api.Kernel{Release: "6.18", GRO: true, PipeSize: 65536},
			Confined:  []string{"seccomp", "landlock v6"},
		},
		Live: api.Health{Well: true}, Ready: api.Health{Causes: []string{"memory is short"}},
		Reactors: []Reactor{{7, time.Second / 2}, {9, 0}},
		Usage:    usage.Usage{CPU: 1500 * time.Millisecond, Memory: 1 << 23, Virtual: 1 << 30, FDs: 77, FDLimit: 4096},
		Records:  []Records{{"access_log", 12, 3}}, Lines: new(Lines),
	}
	for _, c := range count.All() {
		s.Counters[c] = valueOf(c)
	}
	for i := range s.Times {
		s.Times[i].Counts[i], s.Times[i].Counts[len(s.Times[i].Counts)-1] = 2, 1
		s.Times[i].Sum = uint64(3 * time.Second)
	}
	return s
}

// valueOf is a number that stands for a counter and nothing else.
func valueOf(c count.Counter) uint64 { return 1_000_000_007 * uint64(c) }

// scrape reads a page.
func scrape(t testing.TB, s Snapshot) string {
	t.Helper()
	answer := httptest.NewRecorder()
	Handler(func() Snapshot { return s }).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != contentType {
		t.Fatalf("%d, %v", answer.Code, answer.Header())
	}
	return answer.Body.String()
}

// TestEveryCounter: none of redir/count is left out.
func TestEveryCounter(t *testing.T) {
	text := scrape(t, full())
	for _, c := range count.All() {
		if n := strings.Count(text, fmt.Sprintf(" %d\n", valueOf(c))); n != 1 {
			t.Errorf("counter %v is there %d times", c, n)
		}
	}
	if len(count.All()) < 80 {
		t.Errorf("%d counters", len(count.All()))
	}
}

// TestSamples: some lines of each kind, to the letter.
func TestSamples(t *testing.T) {
	s := full()
	s.Lines.Run(nil, zerolog.WarnLevel, "")
	s.Lines.Run(nil, zerolog.FatalLevel, "")
	s.Lines.Run(nil, zerolog.Disabled, "")
	text := scrape(t, s)
	for _, want := range []string{
		"# HELP sluice_connections TCP connections there are.\n# TYPE sluice_connections gauge\n",
		fmt.Sprintf("sluice_connections_total %d\n", valueOf(count.ConnsAccepted)),
		fmt.Sprintf("sluice_bytes_total{network=\"tcp\",direction=\"down\"} %d\n", valueOf(count.TCPBytesToClient)),
		fmt.Sprintf("sluice_refused_total{cause=\"refused_to_listener\"} %d\n", valueOf(count.RefusedListener)),
		fmt.Sprintf("sluice_ended_total{network=\"udp\",cause=\"udp_sessions_evicted\"} %d\n", valueOf(count.FlowsEvicted)),
		fmt.Sprintf("sluice_ended_total{network=\"tcp\",cause=\"timed_out_idle\"} %d\n", valueOf(count.TimedOutIdle)),
		"sluice_connect_seconds_bucket{le=\"0.0001\"} 2\n", "sluice_connect_seconds_bucket{le=\"7200\"} 2\n",
		"sluice_connect_seconds_bucket{le=\"+Inf\"} 3\nsluice_connect_seconds_sum 3\nsluice_connect_seconds_count 3\n",
		"sluice_duration_seconds_bucket{network=\"udp\",le=\"0.0005\"} 0\n", "sluice_duration_seconds_count{network=\"udp\"} 3\n",
		"sluice_outbound_up{outbound=\"proxy\"} 1\n", `sluice_outbound_up{outbound="a \"b\"\\\n` + "\uFFFD\"} 0\n",
		"sluice_kernel_feature{feature=\"udp_gro\"} 1\nsluice_kernel_feature{feature=\"udp_gso\"} 0\n",
		"sluice_state{state=\"draining\"} 0\n", "sluice_state{state=\"serving\"} 1\n", "sluice_live 1\n", "sluice_ready 0\n",
		"sluice_rules_effective 1\n", "sluice_rules_zones 1\n", "sluice_reactor_last_turn_seconds{reactor=\"0\"} 0.5\n",
		"process_cpu_seconds_total 1.5\n", "process_start_time_seconds 1.7000000005e+09\n",
		"sluice_records_dropped_total{log=\"access_log\"} 3\n",
		"sluice_log_lines_total{level=\"warn\"} 1\n", "sluice_log_lines_total{level=\"error\"} 0\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	s.Status.Rules = api.Rules{}
	if text := scrape(t, s); strings.Contains(text, "\nsluice_rules_effective ") || !strings.Contains(text, "sluice_rules_installed 0\n") {
		t.Error("rules that nobody has installed have effect, or none")
	}
}

// needPromtool skips a test where there is none.
func needPromtool(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("there is no promtool here: make install-programs")
	}
}

// TestPromtool: the real one finds nothing wrong, also with nothing to show.
func TestPromtool(t *testing.T) {
	needPromtool(t)
	for name, s := range map[string]Snapshot{"full": full(), "empty": {}} {
		check := exec.Command("promtool", "check", "metrics")
		check.Stdin = strings.NewReader(scrape(t, s))
		if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestNames: each family begins once, and belongs to sluice, the process or Go.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(scrape(t, full()), -1) {
		name := match[1]
		if seen[name] || !regexp.MustCompile(`^(sluice|process|go)_[a-z_]+$`).MatchString(name) {
			t.Errorf("family %s", name)
		}
		seen[name] = true
	}
	if len(seen) < 40 {
		t.Errorf("%d families", len(seen))
	}
}

// TestMethods: a scrape is a GET; HEAD is one without its text.
func TestMethods(t *testing.T) {
	server := httptest.NewServer(Handler(full))
	defer server.Close()
	for method, want := range map[string]int{http.MethodGet: 200, http.MethodHead: 200, http.MethodPost: 405} {
		r, err := http.NewRequest(method, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want || want == 405 && answer.Header.Get("Allow") == "" || want == 200 && answer.ContentLength < 1000 {
			t.Errorf("%s: %s, %v", method, answer.Status, answer.Header)
		}
	}
}

// BenchmarkScrape is what a scrape costs, but for what look does.
func BenchmarkScrape(b *testing.B) {
	s := full()
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(s.text())))
	}
}
