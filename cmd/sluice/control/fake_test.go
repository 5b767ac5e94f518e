package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/cmd/sluice/api"
	"sluice/redir/record"
)

// fake is a process, its flows and its sampler.
type fake struct {
	mu       sync.Mutex
	records  []record.Record
	level    string
	reloads  func() ([]string, error)
	drained  int
	causes   []string
	watching int
	asked    api.Query // of what has rates
	samples  chan api.Sample
}

func (f *fake) Status(context.Context) api.Status {
	return api.Status{Version: "sluice 1", State: "serving"}
}
func (f *fake) Counters() api.Counters {
	return api.Counters{Counters: map[string]uint64{"conns_accepted": 7}}
}
func (f *fake) Config() []byte   { return []byte("{\"mark\": 2}\n") }
func (f *fake) LogLevel() string { return f.level }
func (f *fake) SetLogLevel(level string) error {
	if level != "debug" {
		return errors.New("level: want debug")
	}
	f.level = level
	return nil
}
func (f *fake) Reload() ([]string, error) { return f.reloads() }
func (f *fake) Drain() api.Draining       { f.drained++; return api.Draining{Connections: 3, Seconds: 10} }
func (f *fake) Now() int64                { return int64(time.Hour) }
func (f *fake) Wall(ns int64) time.Time   { return time.Unix(0, ns).UTC() }
func (f *fake) health(ready bool) api.Health {
	return api.Health{Well: !ready || len(f.causes) == 0, Causes: f.causes}
}
func (f *fake) History() []api.Sample { return []api.Sample{{Total: 1}, {Total: 2}} }
func (f *fake) Top(context.Context, int) (api.Top, error) {
	return api.Top{Clients: []api.Talker{{Address: "10.0.0.1"}}, Destinations: []api.Talker{{Address: "10.0.0.2"}}}, nil
}

func (f *fake) Flows(_ context.Context, detail record.Detail, visit func([]record.Record) bool) error {
	f.mu.Lock()
	seen := slices.Clone(f.records)
	f.mu.Unlock()
	for i := range seen {
		if detail == record.Brief {
			seen[i].Dest, seen[i].Source = seen[i].Dialed, netip.AddrPort{}
		}
	}
	for some := range slices.Chunk(seen, 2) {
		if !visit(some) {
			return nil
		}
	}
	return nil
}

func (f *fake) Flow(_ context.Context, id record.ID) (record.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.records, func(r record.Record) bool { return r.ID == id })
	if i < 0 {
		return record.Record{}, errNoFlow
	}
	return f.records[i], nil
}

var errNoFlow = errors.New("no such flow")

func (f *fake) Kill(_ context.Context, ids []record.ID) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.records)
	f.records = slices.DeleteFunc(f.records, func(r record.Record) bool { return slices.Contains(ids, r.ID) })
	return before - len(f.records), nil
}

func (f *fake) Rates(_ context.Context, q api.Query) (api.FlowPage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = q
	page := api.FlowPage{Flows: []api.Flow{{ID: "t0.5.1"}}, Total: 2, Next: "1~t0.5.1"}
	if q.After != "" {
		page = api.FlowPage{Flows: []api.Flow{{ID: "t0.6.1"}}, Total: 2}
	}
	return page, nil
}

func (f *fake) Subscribe(q api.Query) (<-chan api.Sample, func(), error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watching++
	f.asked = q
	return f.samples, func() { f.mu.Lock(); f.watching--; f.mu.Unlock() }, nil
}

// watched is how many watch, and what was asked for last.
func (f *fake) watched() (int, api.Query) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.watching, f.asked
}

// rig is a server of a fake at a real socket, and a client of it.
type rig struct {
	*fake
	t      *testing.T
	server *Server
	http   http.Client
	base   string
	header http.Header
	dial   func() (net.Conn, error)
}

func page(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the page at ", r.URL.Path) }

// newRig has ten connections and ten sessions of 10.0.0.0 to 10.0.0.9.
func newRig(t *testing.T, token Token, change ...func(*Server)) *rig {
	t.Helper()
	f := &fake{level: "info", samples: make(chan api.Sample, 1), reloads: func() ([]string, error) { return []string{"mark"}, nil }}
	for i := range 20 {
		r := record.Record{ID: record.ConnID(0, uint32(i), 1), State: record.Relaying, Inbound: "in", Out: "direct",
			Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 10)}), 40000),
			Dest:   netip.MustParseAddrPort("192.0.2.1:443"), Dialed: netip.MustParseAddrPort("192.0.2.9:8443"), Source: netip.MustParseAddrPort("198.51.100.1:50000"),
			Start: int64(i) * int64(time.Minute), Active: int64(30 * time.Minute)}
		if i >= 10 {
			r.ID = record.SessionID(1, uint32(i))
		}
		r.Up.Bytes = uint64(i * 1000)
		f.records = append(f.records, r)
	}
	r := &rig{fake: f, t: t, base: "http://localhost", header: http.Header{}}
	r.server = New(Config{Token: token, Steer: f, Flows: f, NoFlow: errNoFlow, Watch: f, Health: f.health,
		Metrics: http.HandlerFunc(page), Page: http.HandlerFunc(page), Log: zerolog.Nop()})
	network, address := "unix", filepath.Join(t.TempDir(), "control.sock")
	if token != "" {
		network, address = "tcp", "127.0.0.1:0"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	r.dial = func() (net.Conn, error) { return net.Dial(network, l.Addr().String()) }
	r.http.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return r.dial() }}
	for _, change := range change {
		change(r.server)
	}
	r.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r.server.Serve(l)
	t.Cleanup(func() {
		r.server.Close()
		r.http.CloseIdleConnections()
	})
	return r
}

// do asks, and returns the answer with its body.
func (r *rig) do(method, path, body string) (*http.Response, string) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for name, values := range r.header {
		request.Header[name] = values
	}
	if host := r.header.Get("Host"); host != "" {
		request.Host = host
	}
	response, err := r.http.Do(request)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return response, string(text)
}

// wants checks the status, the kind and what the body has in it.
func (r *rig) wants(method, path, body string, status int, says string) *http.Response {
	r.t.Helper()
	response, text := r.do(method, path, body)
	kind := response.Header.Get("Content-Type")
	if response.StatusCode != status || !strings.Contains(text, says) {
		r.t.Errorf("%s %s: %d %s, want %d and %q", method, path, response.StatusCode, text, status, says)
	}
	if status >= 400 && kind == "application/problem+json" {
		var p api.Problem
		if err := json.Unmarshal([]byte(text), &p); err != nil || p.Status != status || p.Title == "" || p.Type != "about:blank" {
			r.t.Errorf("%s %s: problem %s, %v", method, path, text, err)
		}
	} else if status >= 400 && status != http.StatusServiceUnavailable {
		r.t.Errorf("%s %s: %d of kind %s", method, path, status, kind)
	}
	return response
}
