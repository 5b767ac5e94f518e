package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/cmd/sluice/api"
)

// fakeControl is a control socket that says what a test wants. Its seconds are short.
type fakeControl struct {
	path    string
	started time.Time
	tick    time.Duration

	mu     sync.Mutex
	second int
	flows  []api.Flow
	ended  []string // IDs, or queries
	well   bool
}

// hostileName is what a client may claim to go to.
const hostileName = "evil\x1b[2J\x1b]0;owned\x07\u202e名.example"

func newFakeControl(t *testing.T) *fakeControl {
	f := &fakeControl{
		path: filepath.Join(t.TempDir(), "control.sock"), well: true, tick: 50 * time.Millisecond,
		started: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC),
	}
	rule := 2
	for i := range 40 {
		up, down := float64(1000*(40-i)), float64(100000*(40-i))
		f.flows = append(f.flows, api.Flow{
			ID: fmt.Sprintf("t0.%x.1", i), Network: "tcp", State: "relaying", Inbound: "tproxy-in", Outbound: "direct",
			Client: fmt.Sprintf("10.0.0.%d:%d", 1+i%4, 40000+i), Destination: "203.0.113.5:443", Source: "192.0.2.1:5000", Mark: 2,
			Started: f.started.Add(-time.Hour), Active: f.started, BytesUp: 12345678, BytesDown: 987654321, RateUp: &up, RateDown: &down, Rule: &rule,
		})
	}
	f.flows[1].Name = hostileName
	f.flows[2].Client = "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535"
	f.flows[3].ID, f.flows[3].Network, f.flows[3].DatagramsUp = "u0.3", "udp", 77
	return f
}

// serve begins to serve, and returns what ends it.
func (f *fakeControl) serve(t *testing.T) (stop func()) {
	t.Helper()
	l, err := net.Listen("unix", f.path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: f}
	go func() { _ = server.Serve(l) }()
	stop = func() { server.Close() }
	t.Cleanup(stop)
	return stop
}

func (f *fakeControl) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, isFlow := strings.CutPrefix(r.URL.Path, "/v1/flows/")
	if !isFlow {
		id = ""
	}
	switch {
	case r.URL.Path == "/v1/status":
		say(w, 200, &api.Status{Version: "sluice v1.2.3", State: "serving", Started: f.started.Add(-77 * time.Hour), Limits: api.Limits{Connections: 10000, Sessions: 65536}})
	case r.URL.Path == "/v1/events":
		f.events(w, r)
	case r.Method == http.MethodDelete:
		say(w, 200, &api.Ended{Ended: f.end(id, r.URL.RawQuery)})
	case isFlow:
		f.mu.Lock()
		defer f.mu.Unlock()
		if i := slices.IndexFunc(f.flows, func(one api.Flow) bool { return one.ID == id }); i >= 0 {
			say(w, 200, &f.flows[i])
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(404)
		_ = json.NewEncoder(w).Encode(&api.Problem{Title: "Not Found", Detail: "no flow " + id})
	}
}

func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (f *fakeControl) end(id, query string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, id+query)
	before := len(f.flows)
	f.flows = slices.DeleteFunc(f.flows, func(one api.Flow) bool {
		return one.ID == id || query != "" && strings.HasPrefix(one.Client, strings.TrimPrefix(query, "client=")+":")
	})
	return before - len(f.flows)
}

func (f *fakeControl) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	ticker := time.NewTicker(f.tick)
	defer ticker.Stop()
	for first := true; ; first = false {
		s := f.sample(r.URL.Query().Get("client"), first)
		text, _ := json.Marshal(s)
		if _, err := fmt.Fprintf(w, "event: sample\ndata: %s\n\n", text); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}

// sample is what goes on: the rates of TCP rise and fall, the others stay.
func (f *fakeControl) sample(client string, first bool) *api.Sample {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.second++
	wave := 1 + math.Sin(float64(f.second)/3)
	s := &api.Sample{
		Time: f.started.Add(time.Duration(f.second) * time.Second), Interval: 1, Connections: len(f.flows), Sessions: 345, Dialing: 12, CPU: 0.123, Memory: 34567890,
		Networks: []api.Network{
			{Network: "tcp", RateUp: 1.5e6 * wave, RateDown: 12.5e6 * wave, Opened: 120, Ended: 118},
			{Network: "udp", RateUp: 125000, RateDown: 250000, DatagramsUp: 100, DatagramsDown: 200, Opened: 3, Ended: 2},
		},
		Refusals: []api.Cause{{Name: "refused_client_connects", Kind: "refused", Total: 123456, Rate: 12.5}, {Name: "upstream_timeout", Kind: "failed", Total: 7}},
		Top: api.Top{
			Clients: []api.Talker{
				{Address: "10.0.0.1", Connections: 10, RateUp: 100000, RateDown: 9e6, BytesUp: 12345678, BytesDown: 987654321, Held: true},
				{Address: "2001:db8:1234:5678:9abc:def0:1234:5678", Connections: 1, Sessions: 4, RateUp: 5000, RateDown: 3e6},
			},
			Destinations: []api.Talker{{Address: "203.0.113.5", Name: hostileName, Connections: 40, RateUp: 1.5e6, RateDown: 12.5e6, BytesDown: 987654321}},
		},
		Health: api.Health{Well: f.well},
	}
	if !f.well {
		s.Health.Causes = []string{"the rules are gone"}
	}
	if first {
		s.Interval = 0
	}
	for _, one := range f.flows {
		if client == "" || strings.HasPrefix(one.Client, client+":") {
			s.Flows = append(s.Flows, one)
			s.Total++
		}
	}
	return s
}
