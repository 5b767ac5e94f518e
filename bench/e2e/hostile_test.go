//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestHostileAsker asserts that whoever asks at the control socket what makes no
// sense, too much, or never to the end, hears what is wrong with it, costs little, and
// keeps nobody else from an answer.
func TestHostileAsker(t *testing.T) {
	t.Parallel()
	s, w := controlled(t, setup{plain: true})
	g := startRoutes(t, s, object{"udp_timeout": "1m", "sniff_timeout": "1s", "outbounds": []object{{"type": "direct", "tag": "direct"}, {"type": "direct", "tag": "named"}},
		"route": object{"rules": []object{{"domain_suffix": "test", "outbound": "named"}}}})
	w.nonsense(t)
	w.pipelines(t)
	g.hostileNames(t, w)
	g.manyStreams(t, w)
	w.slowRequests(t)
	w.end(t, url.Values{"all": {"true"}})
}

// nonsense is answered by problems.
func (w *window) nonsense(t *testing.T) {
	t.Helper()
	long := strings.Repeat("x", 8000)
	for _, c := range []struct {
		method, path, body string
		status             int
		word               string
	}{
		{"PUT", "/v1/log-level", "", 400, "JSON"},
		{"PUT", "/v1/log-level", "{", 400, "JSON"},
		{"PUT", "/v1/log-level", `{"level":"\u001b[31mfatal"}`, 400, "level"},
		{"PUT", "/v1/log-level", `{"level":"disabled"}`, 400, "level"},
		{"PUT", "/v1/log-level", `{"level":5}`, 400, ""},
		{"PUT", "/v1/log-level", `{"level":"` + strings.Repeat(long, 20) + `"}`, 413, ""},
		{"POST", "/v1/log-level", "{}", 405, "PUT"},
		{"TRACE", "/v1/status", "", 405, "GET"},
		{"GET", "/v1/reload", "", 405, "POST"},
		{"GET", "/v2/status", "", 404, "/v1/status"},
		{"GET", "/v1/flows/%2e%2e%2fstatus", "", 400, "id"},
		{"GET", "/v1/flows/t" + strings.Repeat("0", 3000), "", 400, "id"},
		{"GET", "/v1/flows/u0.99999999999999999999", "", 400, "id"},
		{"GET", "/v1/flows?client=" + strings.Repeat("10.0.0.1,", 800), "", 0, ""},
		{"GET", "/v1/flows?client=%00%1b%5b2J", "", 400, "client"},
		{"GET", "/v1/flows?limit=-1", "", 400, "limit"},
		{"GET", "/v1/flows?limit=1000000000", "", 400, "limit"},
		{"GET", "/v1/flows?after=" + long, "", 400, "after"},
		{"GET", "/v1/flows?sort=rate%0d%0aX-Evil:1", "", 400, "sort"},
		{"GET", "/v1/flows?rate=1e999", "", 400, "rate"},
		{"GET", "/v1/flows?older=9999999h", "", 400, "older"},
		{"GET", "/v1/top?limit=1000000", "", 400, "limit"},
		{"GET", "/v1/top?by=fame", "", 400, "by"},
		{"GET", "/v1/events?flows=100000", "", 400, "flows"},
	} {
		if c.status == 0 {
			w.must(t, c.method, c.path, nil)
		} else {
			w.wantProblem(t, c.method, c.path, c.body, c.status, c.word)
		}
	}
	if status, err := w.call(t.Context(), "GET", "/v1/flows?client="+strings.Repeat(long, 10), nil, nil); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a query of 80 KB: %d, %v", status, err)
	}
}

// pipelines sends several requests before it reads an answer: they come in order.
func (w *window) pipelines(t *testing.T) {
	t.Helper()
	c, err := net.Dial("unix", w.path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	paths := []string{"/v1/status", "/v1/none", "/v1/counters", "/v1/flows?limit=x", "/healthz"}
	var requests bytes.Buffer
	for range 20 {
		for _, path := range paths {
			fmt.Fprintf(&requests, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
		}
	}
	go func() { _, _ = c.Write(requests.Bytes()) }()
	in := bufio.NewReader(c)
	for i := range 20 * len(paths) {
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		text, err := io.ReadAll(answer.Body)
		if want := []int{200, 404, 200, 400, 200}[i%len(paths)]; err != nil || answer.StatusCode != want || !json.Valid(text) {
			t.Fatalf("answer %d to %s: %d, %v", i, paths[i%len(paths)], answer.StatusCode, err)
		}
	}
}

// hostileNames are what a client says that it asks for: nothing of it reaches a
// terminal as it is.
func (g routed) hostileNames(t *testing.T, w *window) {
	t.Helper()
	v := way{tproxy: true}
	echoTCP(t, g.Server, v.dest(0))
	for _, name := range []string{"plain.test", "other.TEST", "esc\x1b[2Jape.test", "bell\x07.test", "<script>alert(1)</script>.test", "ünicode\u202e.test",
		strings.Repeat("a.", 4000) + "test", "new\nline.test", "\xff\xfe.test", `quo"te.test`} {
		c := dialTCP(t, g.Client, v.dest(0))
		if err := exchange(c, "GET / HTTP/1.1\r\nHost: "+name+"\r\n\r\n"); err != nil {
			t.Errorf("%.30q: %v", name, err)
		}
	}
	var page string
	w.must(t, "GET", "/v1/flows", &page)
	if !json.Valid([]byte(page)) || !strings.Contains(page, `"plain.test"`) || !strings.Contains(page, `"other.test"`) {
		t.Errorf("flows are %.500q", page)
	}
	for _, args := range [][]string{{"flows"}, {"flows", "--json"}, {"top", "--once"}, {"status"}} {
		out, exit := w.sluice(t, args...)
		if bad := strings.IndexFunc(out, func(r rune) bool {
			return r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == '\u202e' || r == '\ufffd'
		}); bad >= 0 || exit != 0 {
			t.Errorf("%v: exit %d, a terminal would get %q", args, exit, out[max(0, bad-20):min(len(out), max(0, bad)+20)])
		}
	}
}

// manyStreams are more than may be, none of which reads: as many as may are served, the
// others are told so, questions are answered all the while, and memory stays.
func (g routed) manyStreams(t *testing.T, w *window) {
	t.Helper()
	memory := g.Memory()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	var refused, served atomic.Int64
	for range 100 {
		all.Go(func() {
			r, _ := http.NewRequestWithContext(ctx, "GET", "http://localhost/v1/events?flows=200&history", nil)
			answer, err := w.http.Do(r)
			if err != nil {
				if ctx.Err() == nil {
					t.Error(err)
				}
				return
			}
			defer answer.Body.Close()
			if answer.StatusCode == http.StatusServiceUnavailable {
				refused.Add(1)
				return
			}
			served.Add(1)
			<-ctx.Done() // and reads nothing
		})
	}
	until(t, "streams are served or refused", func() bool { return served.Load()+refused.Load() == 100 })
	if served.Load() == 0 || served.Load() > 32 {
		t.Errorf("%d streams are served at once", served.Load())
	}
	for range 20 {
		begun := time.Now()
		w.must(t, "GET", "/v1/status", nil)
		if took := time.Since(begun); took > 3*time.Second {
			t.Errorf("an answer beside %d streams took %v", served.Load(), took)
		}
		pass(100 * time.Millisecond)
	}
	if grown := g.Memory() - memory; grown > 32<<20 {
		t.Errorf("%d streams that nobody reads take %d bytes", served.Load(), grown)
	}
	t.Logf("%d streams served, %d refused, %d KiB more resident", served.Load(), refused.Load(), (g.Memory()-memory)>>10)
	cancel()
	all.Wait()
}

// slowRequests hold all places with heads that never end. They are given up after a
// while, and whoever waits behind them is answered.
func (w *window) slowRequests(t *testing.T) {
	t.Helper()
	w.http.CloseIdleConnections()
	for range 40 {
		c, err := net.Dial("unix", w.path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "GET /v1/status HTTP/1.1\r\nHost: local"); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if status, err := w.call(ctx, "GET", "/v1/status", nil, nil); err != nil || status != http.StatusOK {
		t.Errorf("behind requests without an end: %d, %v", status, err)
	}
}
