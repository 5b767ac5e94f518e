package tell

import (
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/api"
)

func someFlows() []api.Flow {
	began := time.Unix(1000, 0)
	return []api.Flow{
		{ID: "t0.1f.2a9", Network: "tcp", State: "relaying", Client: "10.0.0.7:40000", Destination: "203.0.113.5:443", Name: "www.example.org",
			Inbound: "tproxy-in", Outbound: "direct", Source: "192.0.2.1:33333", Started: began, Active: began.Add(time.Minute), BytesUp: 1234, BytesDown: 12_345_678},
		{ID: "u1.3e8", Network: "udp", State: "unanswered", Client: "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:40000", Destination: "[2001:db8:1111:2222:3333:4444:5555:6666]:53",
			Inbound: "tproxy-in", Outbound: "office\x1b[31m", Started: began, Active: began, Held: true},
		{ID: "t3ff.ffffff.1fffffff", State: "half-closed", Client: "10.0.0.8:1", Destination: "10.0.0.9:1", Name: "\x1b]0;evil\a" + strings.Repeat("x", 300), Started: began, Active: began},
	}
}

// TestFlowsFit: at 80 columns each line fits, and shows what is asked for first; with
// more room there is more.
func TestFlowsFit(t *testing.T) {
	now := time.Unix(4600, 0)
	plain := Flows(someFlows()[:2], now, 80)
	for _, want := range []string{"ID ", "CLIENT", "DESTINATION", "STATE", "UP", "DOWN", "AGE"} {
		if !strings.Contains(plain[0], want) {
			t.Errorf("no %s in %q", want, plain[0])
		}
	}
	if want := "t0.1f.2a9"; !strings.HasPrefix(plain[1], want) || !strings.Contains(plain[1], ":443") || !strings.HasSuffix(plain[1], "1h00m") {
		t.Errorf("%q", plain[1])
	}
	if !strings.Contains(plain[2], "held") {
		t.Errorf("%q", plain[2])
	}
	for width := 20; width < 250; width++ {
		for _, line := range Flows(someFlows(), now, width) {
			if len(line) > width {
				t.Fatalf("%d columns of %d: %q", len(line), width, line)
			}
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Fatalf("%q", line)
			}
		}
	}
	if wide := Flows(someFlows()[:1], now, 200); !strings.Contains(wide[0], "SERVER") || !strings.Contains(wide[1], "192.0.2.1:33333") {
		t.Errorf("%q", wide)
	}
	up := 125_000.0
	rated := someFlows()[:1]
	rated[0].RateUp, rated[0].RateDown = &up, &up
	if lines := Flows(rated, now, 80); !strings.Contains(lines[0], "UP/s") || !strings.Contains(lines[1], "1.00Mbit") {
		t.Errorf("%q", lines)
	}
	if lines := Flows(nil, now, 80); len(lines) != 1 {
		t.Errorf("%q", lines)
	}
}

func TestStatus(t *testing.T) {
	s := &api.Status{Version: "1.2", PID: 77, State: "serving", Started: time.Unix(1000, 0), Engine: "epoll", Reactors: 2,
		Connections: 12, Sessions: 3, BytesUp: 1_000_000, BytesDown: 2_500_000_000, Refused: 4, Failed: 5, Dropped: 6,
		Inbounds: []api.Inbound{{Tag: "tproxy [::]:12345", Type: "tproxy", Listen: "[::]:12345", Network: []string{"tcp", "udp"}},
			{Tag: "web", Type: "direct", Listen: "[::]:80", Network: []string{"tcp"}, Destination: "backend.example:80"}},
		Outbounds: []api.Outbound{{Tag: "office", Type: "socks"}, {Tag: "direct", Type: "direct", Up: true}},
		Rules:     api.Rules{Installed: true, Findings: []string{"a rule of others comes before it"}},
		Limits:    api.Limits{Connections: 5041, Sessions: 6065, SessionsBound: "fd_limit", FDs: 20000, Pipes: 1024},
		Use:       api.Use{FDs: 76, Memory: 12_000_000, CPU: 75},
		Kernel:    api.Kernel{Release: "6.18.44", GRO: true}, LogLevel: "info", Confined: []string{"no_new_privs", "seccomp"},
		Health: api.Health{Causes: []string{"the rules that divert traffic here have no effect, and here is a long remedy that is broken between words"}}}
	lines := Status(s, time.Unix(4600, 0), 80)
	if len(lines) > 24 {
		t.Errorf("%d lines", len(lines))
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"sluice       1.2, serving for 1h00m (process 77, epoll, 2 reactors)", "health       not well: the rules",
		"now          12 of 5041 connections, 3 of 6065 UDP sessions (fd_limit)", "1.00 MB up, 2.50 GB down; 4 refused, 5 failed, 6 dropped",
		"inbound      tproxy [::]:12345 tcp+udp\n             web: direct [::]:80 tcp to backend.example:80", "office: socks, its server is out of reach",
		"rules        installed, and not in effect", "a rule of others comes before it", "12.0 MB of memory, 1m15s of CPU", "GRO of UDP, no GSO of UDP", "confined     no_new_privs, seccomp",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, line := range lines {
		if len(line) > 80 {
			t.Errorf("%d columns: %q", len(line), line)
		}
	}
}
