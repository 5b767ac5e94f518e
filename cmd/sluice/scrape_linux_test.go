package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/api"
)

// asking reads what a program says at its control socket.
func asking(socket string) func(path string) (int, string) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	return func(path string) (int, string) {
		answer, err := client.Get("http://localhost" + path)
		if err != nil {
			return 0, err.Error()
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text)
	}
}

// TestScrapeOfGateway: a confined program with rules of its own says what it takes,
// and that the rules have effect; while another's rule takes what they divert, it is
// live and not ready, and says why.
func TestScrapeOfGateway(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	r := startRun(t, buildProgram(t), "--tproxy", ":12345", "--install-rules", "--source", "client", "--iface", "lan", "--control", socket)
	get := asking(socket)
	page := func() string { _, text := get("/metrics"); return text }
	for _, want := range []string{
		"sluice_rules_installed 1", "sluice_rules_effective 1", "sluice_rules_zones 1", "sluice_live 1", "sluice_ready 1",
		`sluice_state{state="serving"} 1`, `sluice_inbound_info{inbound="tproxy [::]:12345",type="tproxy",listen="[::]:12345"} 1`,
	} {
		r.awaits(want, func() bool { return strings.Contains(page(), "\n"+want+"\n") })
	}
	text := page()
	for _, unwanted := range []string{"process_resident_memory_bytes 0", "process_open_fds 0", "process_max_fds 0", "sluice_fds 0", "sluice_confinements 0"} {
		if strings.Contains(text, "\n"+unwanted+"\n") {
			t.Errorf("confined, it sees nothing: %s", unwanted)
		}
	}
	r.inside("ip", "rule", "add", "fwmark", "1/1", "lookup", "main", "priority", "0")
	r.awaits("the rules have no effect", func() bool { return strings.Contains(page(), "\nsluice_rules_effective 0\n") })
	live, _ := get("/healthz")
	ready, why := get("/readyz")
	var health api.Health
	if err := json.Unmarshal([]byte(why), &health); err != nil || live != http.StatusOK || ready != http.StatusServiceUnavailable ||
		len(health.Causes) != 1 || !strings.Contains(health.Causes[0], "takes diverted packets") {
		t.Errorf("live %d, ready %d %s, %v", live, ready, why, err)
	}
	r.inside("ip", "rule", "del", "fwmark", "1/1", "lookup", "main", "priority", "0")
	r.awaits("they have effect again", func() bool { return strings.Contains(page(), "\nsluice_rules_effective 1\n") })
	if code, text := get("/readyz"); code != http.StatusOK {
		t.Errorf("%d %s", code, text)
	}
}

// awaits polls, more slowly than eventually, for what the keeper sees each few seconds,
// and reads the log meanwhile.
func (r *running) awaits(what string, holds func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(patience + lookPeriod); !holds(); {
		if time.Now().After(deadline) {
			r.t.Fatalf("not so: %s", what)
		}
		select {
		case <-r.lines:
		case <-time.After(100 * time.Millisecond):
		}
	}
}
