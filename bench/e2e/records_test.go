//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// flowRecord is a flow as the control socket and the access log say it.
type flowRecord struct {
	ID          string
	Network     string
	State       string
	Inbound     string
	Client      string
	Destination string
	Name        string
	Dialed      string
	Source      string
	Outbound    string
	Server      string
	Rule        *int
	Mark        uint32

	Started       time.Time
	Active        time.Time
	BytesUp       int64    `json:"bytes_up"`
	BytesDown     int64    `json:"bytes_down"`
	DatagramsUp   int64    `json:"datagrams_up"`
	DatagramsDown int64    `json:"datagrams_down"`
	RateUp        *float64 `json:"rate_up"`
	RateDown      *float64 `json:"rate_down"`
	Held          bool

	Cause string
	Ended *time.Time
	Time  *time.Time // of a line of the access log
}

// rule is the index of the rule, -1 where none was met.
func (f *flowRecord) rule() int {
	if f.Rule == nil {
		return -1
	}
	return *f.Rule
}

// facts are what a test can know of a flow from outside, in words that can be
// compared.
func (f *flowRecord) facts() string {
	return fmt.Sprintf("%s in %s, %s to %s (dialed %q, name %q), source %q, outbound %s (server %q), rule %d, mark %d, "+
		"up %d bytes %d datagrams, down %d bytes %d datagrams, cause %q",
		f.Network, f.Inbound, f.Client, f.Destination, f.Dialed, f.Name, f.Source, f.Outbound, f.Server, f.rule(), f.Mark,
		f.BytesUp, f.DatagramsUp, f.BytesDown, f.DatagramsDown, f.Cause)
}

// flowPage is a part of the flows of a query.
type flowPage struct {
	Flows []flowRecord
	Total int
	Next  string
}

// readLog is what an access log has so far, by the flows' IDs. Each is in it once.
func readLog(t testing.TB, path string) map[string]flowRecord {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]flowRecord{}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // it is being written
		}
		var f flowRecord
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if f.Time == nil || f.Started.IsZero() || f.Time.Before(f.Started) {
			t.Errorf("times of %q", line)
		}
		if _, twice := all[f.ID]; twice {
			t.Errorf("%s twice", f.ID)
		}
		all[f.ID] = f
	}
	return all
}

// scrape are the samples of /metrics, by NAME{LABELS}.
func (w *window) scrape(t testing.TB) map[string]float64 {
	t.Helper()
	var text string
	w.must(t, "GET", "/metrics", &text)
	samples := map[string]float64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		value, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		samples[line[:at]] = value
	}
	return samples
}
