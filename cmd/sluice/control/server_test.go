package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

func TestRoutes(t *testing.T) {
	r := newRig(t, "")
	r.server.Ready()
	r.causes = []string{"the rules are not in effect"}
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/v1/status", "", 200, `"state":"serving"`},
		{"GET", "/v1/counters", "", 200, `{"conns_accepted":7}`},
		{"GET", "/v1/config", "", 200, `{"mark": 2}`},
		{"GET", "/v1/flows", "", 200, `"total":20}`},
		{"GET", "/v1/flows/t0.1.1", "", 200, `"client":"10.0.0.1:40000"`},
		{"GET", "/v1/flows/t0.1.2", "", 404, "t0.1.2: there is no such flow"},
		{"GET", "/v1/flows/x", "", 400, `id: \"x\"`},
		{"DELETE", "/v1/flows/t0.1.2", "", 404, "no such flow"},
		{"DELETE", "/v1/flows/..%2f..%2f", "", 400, "id: "},
		{"GET", "/v1/top", "", 200, `"clients":[{"address":"10.0.0.1"`},
		{"GET", "/v1/top?by=destination", "", 200, `{"destinations":[{"address":"10.0.0.2"`},
		{"GET", "/v1/top?by=size", "", 400, "by: "},
		{"GET", "/v1/top?limit=x", "", 400, "limit: "},
		{"GET", "/v1/log-level", "", 200, `{"level":"info"}`},
		{"PUT", "/v1/log-level", `{"level":"loud"}`, 400, "want debug"},
		{"PUT", "/v1/log-level", `loud`, 400, "want JSON"},
		{"PUT", "/v1/log-level", strings.Repeat(" ", 100_000), 413, "too long"},
		{"PUT", "/v1/log-level", `{"level":"debug"}`, 200, `{"level":"debug"}`},
		{"POST", "/v1/reload", "", 200, `{"changes":["mark"]}`},
		{"POST", "/v1/drain", "", 200, `{"connections":3,"seconds":10}`},
		{"POST", "/v1/session", `{"token":"x"}`, 404, "unix socket"},
		{"GET", "/healthz", "", 200, `"well":true`},
		{"GET", "/readyz", "", 503, `"causes":["the rules are not in effect"]`},
		{"GET", "/metrics", "", 200, "the page at /metrics"},
		{"GET", "/", "", 200, "the page at /"},
		{"GET", "/page/a.css", "", 200, "the page at /page/a.css"},
		{"GET", "/v1", "", 404, "there is nothing here"},
		{"GET", "/v1/flows/", "", 404, "there is nothing here"},
		{"GET", "/v2/status", "", 404, "there is nothing here"},
		{"GET", "/favicon.ico", "", 404, "there is nothing here"},
	} {
		r.wants(c.method, c.path, c.body, c.status, c.says)
	}
	if r.drained != 1 {
		t.Errorf("drained %d times", r.drained)
	}
}

func TestMethods(t *testing.T) {
	r := newRig(t, "")
	r.server.Ready()
	for path, allow := range map[string]string{
		"/v1/status": "GET, HEAD", "/v1/flows": "DELETE, GET, HEAD", "/v1/reload": "POST", "/v1/log-level": "GET, HEAD, PUT", "/": "GET, HEAD",
	} {
		response := r.wants("PATCH", path, "", 405, "want "+allow)
		if got := response.Header.Get("Allow"); got != allow {
			t.Errorf("%s: allows %s", path, got)
		}
	}
	for _, path := range []string{"/v1/status", "/v1/flows", "/healthz", "/", "/v1/events"} {
		response, text := r.do("HEAD", path, "")
		if response.StatusCode != 200 || text != "" {
			t.Errorf("HEAD %s: %d %q", path, response.StatusCode, text)
		}
	}
}

func TestReloadErrors(t *testing.T) {
	r := newRig(t, "")
	r.server.Ready()
	r.reloads = func() ([]string, error) { return nil, errors.New("file:1:2: unknown key") }
	r.wants("POST", "/v1/reload", "", 422, "file:1:2: unknown key")
	r.reloads = func() ([]string, error) { return nil, &api.Problem{Status: 409, Detail: "another has taken over"} }
	r.wants("POST", "/v1/reload", "", 409, "another has taken over")
	r.reloads = func() ([]string, error) { return nil, nil }
	r.wants("POST", "/v1/reload", "", 200, `{"changes":[]}`)
}

// TestStarting: until sluice serves, it is alive, not ready, and says so.
func TestStarting(t *testing.T) {
	r := newRig(t, "")
	r.wants("GET", "/healthz", "", 200, `"well":true`)
	r.wants("GET", "/readyz", "", 503, "sluice starts")
	r.wants("GET", "/v1/flows", "", 503, "sluice starts")
	r.server.Ready()
	r.wants("GET", "/readyz", "", 200, `"well":true`)
	r.wants("GET", "/v1/flows", "", 200, `"total":20`)
}

func TestPagesOfFlows(t *testing.T) {
	r := newRig(t, "")
	r.server.Ready()
	seen := map[string]bool{}
	after, pages := "", 0
	for ; ; pages++ {
		_, text := r.do("GET", "/v1/flows?limit=3&sort=bytes&network=udp&after="+after, "")
		var p api.FlowPage
		if err := json.Unmarshal([]byte(text), &p); err != nil || p.Total != 10 {
			t.Fatalf("%s: %v", text, err)
		}
		for _, f := range p.Flows {
			seen[f.ID] = true
		}
		if after = p.Next; after == "" {
			break
		}
	}
	if len(seen) != 10 || pages != 3 {
		t.Errorf("%d flows in %d pages", len(seen), pages)
	}
	for query, says := range map[string]string{
		"limit=10001": "limit: 10001: want at most 10000", "client=x": "client: ", "clinet=::1": "clinet: ", "older=x": "older: ",
		"sort=size": "sort: ", "after=x": "after: ", "state=asleep": "state: ",
	} {
		r.wants("GET", "/v1/flows?"+query, "", 400, says)
	}
	r.wants("GET", "/v1/flows?sort=rate&limit=5", "", 200, `"total":2`)
	if _, q := r.watched(); q.Sort != "rate" || q.Limit != 5 {
		t.Errorf("asked for %+v", q)
	}
}

func TestLinesOfFlows(t *testing.T) {
	r := newRig(t, "")
	r.server.Ready()
	for query, want := range map[string]int{"": 20, "&network=udp": 10, "&client=10.0.0.3": 2, "&client=10.0.0.99": 0} {
		response, text := r.do("GET", "/v1/flows?lines"+query, "")
		lines := strings.Split(strings.TrimSpace(text), "\n")
		n := 0
		for _, line := range lines {
			var f api.Flow
			if json.Unmarshal([]byte(line), &f) == nil && f.Inbound == "in" {
				n++
			}
		}
		if kind := response.Header.Get("Content-Type"); n != want || kind != "application/x-ndjson" {
			t.Errorf("%s: %d flows of kind %s: %s", query, n, kind, text)
		}
	}
	for _, query := range []string{"sort=bytes", "limit=5", "rate=1", "after=t0.0.0"} {
		r.wants("GET", "/v1/flows?lines&"+query, "", 400, "lines: ")
	}
}

// TestSlowClients: who connects and says nothing keeps nobody else out for long.
func TestSlowClients(t *testing.T) {
	r := newRig(t, "", func(s *Server) { s.http.ReadHeaderTimeout = 50 * time.Millisecond })
	r.server.Ready()
	for range 3 * MostConns {
		c, err := r.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	r.wants("GET", "/v1/status", "", 200, "serving")
}

// TestFlowsInFull: whatever is asked for, a flow is told of with what the kernel knows,
// and found by what its client asked for.
func TestFlowsInFull(t *testing.T) {
	r := newRig(t, "")
	r.server.Ready()
	for _, query := range []string{"limit=1", "limit=1000", "destination=192.0.2.1&limit=1", "port=443&limit=1", "sort=destination&limit=1", "lines"} {
		_, text := r.do("GET", "/v1/flows?"+query, "")
		if !strings.Contains(text, `"destination":"192.0.2.1:443"`) || !strings.Contains(text, `"source":"198.51.100.1:50000"`) || !strings.Contains(text, `"dialed":"192.0.2.9:8443"`) {
			t.Errorf("%s: %s", query, text)
		}
	}
	r.wants("DELETE", "/v1/flows?destination=192.0.2.1&network=udp", "", 200, `{"ended":10}`)
	r.wants("DELETE", "/v1/flows?destination=192.0.2.99", "", 200, `{"ended":0}`)
}

func TestEndingFlows(t *testing.T) {
	r := newRig(t, "")
	r.server.Ready()
	r.wants("DELETE", "/v1/flows", "", 400, "all: which flows?")
	r.wants("DELETE", "/v1/flows?sort=age&limit=5", "", 400, "all: which flows?")
	r.wants("DELETE", "/v1/flows?all=perhaps", "", 400, "all: ")
	r.wants("DELETE", "/v1/flows?all=true&network=tcp", "", 400, "without filters")
	r.wants("DELETE", "/v1/flows/u1.c", "", 200, `{"ended":1}`)
	r.wants("DELETE", "/v1/flows?client=10.0.0.3", "", 200, `{"ended":2}`)
	r.wants("DELETE", "/v1/flows?network=tcp&sort=age&limit=2", "", 200, `{"ended":2}`)
	for _, gone := range []record.ID{record.ConnID(0, 0, 1), record.ConnID(0, 1, 1), record.ConnID(0, 3, 1), record.SessionID(1, 13)} {
		if _, err := r.Flow(t.Context(), gone); err == nil {
			t.Errorf("%s is there", gone)
		}
	}
	r.wants("DELETE", "/v1/flows?rate=1&limit=1", "", 200, `{"ended":1}`)
	r.wants("DELETE", "/v1/flows?rate=1", "", 200, `{"ended":1}`) // the other one
	r.wants("DELETE", "/v1/flows?all=true", "", 200, `{"ended":13}`)
	r.wants("DELETE", "/v1/flows?all=true", "", 200, `{"ended":0}`)
}

// events reads the names and data of a stream.
func (r *rig) events(path string) (*http.Response, func() (name, data string)) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), "GET", r.base+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := r.http.Do(request)
	if err != nil || response.StatusCode != 200 {
		r.t.Fatalf("%s: %v, %v", path, response, err)
	}
	r.t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewScanner(response.Body)
	return response, func() (name, data string) {
		for lines.Scan() && lines.Text() != "" {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			if key == "event" {
				name = value
			} else {
				data = value
			}
		}
		return name, data
	}
}

func TestEvents(t *testing.T) {
	r := newRig(t, "")
	r.server.Ready()
	r.samples <- api.Sample{Total: 3}
	response, next := r.events("/v1/events?client=10.0.0.1&flows=7&history")
	if kind := response.Header.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("kind %s", kind)
	}
	for want := 1; want <= 4; want++ {
		name, data := next()
		wanted := "sample"
		if want <= 2 {
			wanted = "past"
		}
		if name != wanted || !strings.Contains(data, fmt.Sprintf(`"total":%d`, want)) {
			t.Errorf("%s %s, want %d", name, data, want)
		}
		if want == 3 {
			r.samples <- api.Sample{Total: 4}
		}
	}
	if n, q := r.watched(); n != 1 || q.Limit != 7 || len(q.Client) != 1 {
		t.Errorf("%d watch, asked for %+v", n, q)
	}
	for path, limit := range map[string]int{"/v1/events?flows=0": -1, "/v1/events": -1, "/v1/events?limit=9": 9} {
		stream, _ := r.events(path)
		if _, q := r.watched(); q.Limit != limit {
			t.Errorf("%s: %d flows", path, q.Limit)
		}
		stream.Body.Close()
	}
	r.wants("GET", "/v1/events?flows=201", "", 400, "flows: ")
	r.wants("GET", "/v1/events?client=x", "", 400, "client: ")
	response.Body.Close()
	waitFor(t, "nobody watches", func() bool { n, _ := r.watched(); return n == 0 })
}

// TestStreamsLeaveRoom: those that watch are bounded, and leave room for a question;
// the end ends them.
func TestStreamsLeaveRoom(t *testing.T) {
	r := newRig(t, "")
	r.server.Ready()
	var last func() (string, string)
	for range mostStreams {
		_, last = r.events("/v1/events")
	}
	r.wants("GET", "/v1/events", "", 503, "as many as may")
	r.wants("GET", "/v1/flows?limit=1", "", 200, `"total":20`)
	began := time.Now()
	r.server.Close()
	if name, _ := last(); name != "" {
		t.Errorf("event %s after the end", name)
	}
	if n, _ := r.watched(); n != 0 {
		t.Errorf("%d watch after the end", n)
	}
	if took := time.Since(began); took > endTime {
		t.Errorf("the end took %v", took)
	}
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
		<-time.After(time.Millisecond)
	}
}
