package main

import (
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"sluice/cmd/sluice/metrics"
	"sluice/redir"
)

// freePort is an address of lo at which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// standingOf is a server with some flags and its standing, which serves.
func standingOf(t testing.TB, args ...string) *standing {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("transparent sockets need root")
	}
	ctx, err := parse(append([]string{"run", "--mark", "0", "--reactors", "2"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	cmd := runOf(ctx)
	server, err := redir.New(cmd.options(zerolog.Nop()))
	if err != nil {
		t.Fatal(err)
	}
	server.Start()
	s := newStanding(server, nil, new(metrics.Lines))
	t.Cleanup(func() { s.close(); server.Close() })
	s.serve(cmd.inbounds(), cmd.InstallRules)
	s.state.Store(stateServing)
	return s
}

// scrape reads /metrics.
func (s *standing) scrape() string {
	answer := httptest.NewRecorder()
	metrics.Handler(s.snapshot).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	return answer.Body.String()
}

// carry sends n bytes through a forward to a server that sends them back, and leaves
// the connection open.
func carry(t *testing.T, addr string, n int) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	return c
}

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	return l.Addr().String()
}

// TestStanding: what a scrape and a status say against what was sent, of connections
// that run and that have ended; promtool finds nothing wrong with it.
func TestStanding(t *testing.T) {
	at := freePort(t)
	s := standingOf(t, "--allow-local", "--forward", at+"="+echo(t)+",tcp", "--block", "127.0.0.9/32")
	const open, sent = 5, 10_000
	conns := make([]net.Conn, open)
	for i := range conns {
		conns[i] = carry(t, at, sent)
	}
	holds := func(when string, lines ...string) {
		t.Helper()
		for _, want := range lines {
			eventually(t, when+": "+want, func() bool { return strings.Contains(s.scrape(), "\n"+want+"\n") })
		}
	}
	bytes := []string{fmt.Sprintf(`sluice_bytes_total{network="tcp",direction="up"} %d`, open*sent),
		fmt.Sprintf(`sluice_bytes_total{network="tcp",direction="down"} %d`, open*sent)}
	holds("open", bytes...)
	holds("open", fmt.Sprintf("sluice_connections %d", open), fmt.Sprintf("sluice_connect_seconds_count %d", open),
		`sluice_duration_seconds_count{network="tcp"} 0`)
	if status := s.status(); !status.Health.Well || status.Connections != open || status.BytesUp != open*sent || status.State != stateServing ||
		len(status.Inbounds) != 1 || status.Inbounds[0].Destination == "" || status.Use.FDs < 2*open || status.Use.Memory == 0 {
		t.Errorf("%+v", status)
	}
	for _, c := range conns {
		c.Close()
	}
	holds("closed", bytes...)
	holds("closed", "sluice_connections 0", fmt.Sprintf(`sluice_ended_total{network="tcp",cause="conns_finished"} %d`, open),
		fmt.Sprintf(`sluice_duration_seconds_count{network="tcp"} %d`, open), fmt.Sprintf("sluice_first_byte_seconds_count %d", open),
		"sluice_live 1", "sluice_ready 1", "sluice_rules_installed 0", `sluice_state{state="serving"} 1`)
	if !regexp.MustCompile(`\nsluice_reactor_turns_total\{reactor="1"\} [1-9]`).MatchString(s.scrape()) {
		t.Error("reactor 1 has not turned")
	}
	s.state.Store(stateDraining)
	if live, ready := s.health(false), s.health(true); !live.Well || ready.Well {
		t.Errorf("draining: live %+v, ready %+v", live, ready)
	}
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("there is no promtool here: make install-programs")
	}
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(s.scrape())
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// BenchmarkScrape is a scrape of a server: what it has to look at, and the page.
func BenchmarkScrape(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	l.Close()
	s := standingOf(b, "--allow-local", "--forward", l.Addr().String()+"=127.0.0.1:9,tcp")
	b.ReportAllocs()
	for b.Loop() {
		s.scrape()
	}
}
