//go:build linux

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// window is the control socket of a sluice, as one who knows its documentation
// alone uses it. Any goroutine may use it.
type window struct {
	path  string // of the socket, or ADDR:PORT
	http  http.Client
	token string
}

// controlled gives a sluice a control socket.
func controlled(t testing.TB, s setup) (setup, *window) {
	t.Helper()
	path := filepath.Join(shortDir(t), "control.sock")
	s.flags = append(s.flags[:len(s.flags):len(s.flags)], "--control="+path)
	return s, windowAt(t, path)
}

// shortDir is a directory whose path leaves room in that of a unix socket (unix(7):
// 108 bytes), until the test ends.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sluice-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // for sluice as another user
		t.Fatal(err)
	}
	return dir
}

func windowAt(t testing.TB, path string) *window {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &window{path: path, http: http.Client{Transport: transport}}
}

// call asks, and reads what comes back into into, unless it is nil.
func (w *window) call(ctx context.Context, method, path string, body io.Reader, into any) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, body)
	if err != nil {
		return 0, err
	}
	if w.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	answer, err := w.http.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && into != nil {
		if raw, ok := into.(*string); ok {
			*raw = string(text)
		} else if err = json.Unmarshal(text, into); err != nil {
			err = fmt.Errorf("%s %s: %w: %.200q", method, path, err, text)
		}
	}
	return answer.StatusCode, err
}

// must asks, and ends the test where the answer has another status than 200.
func (w *window) must(t testing.TB, method, path string, into any) {
	t.Helper()
	var text string
	status, err := w.call(t.Context(), method, path, nil, &text)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d: %s", status, text)
	}
	if raw, ok := into.(*string); ok {
		*raw = text
	} else if err == nil && into != nil {
		err = json.Unmarshal([]byte(text), into)
	}
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// wantProblem asserts that a request is refused with a problem that has words in it.
func (w *window) wantProblem(t *testing.T, method, path, body string, status int, words ...string) {
	t.Helper()
	var problem struct {
		Status        int
		Title, Detail string
	}
	got, err := w.call(t.Context(), method, path, strings.NewReader(body), &problem)
	if err != nil || got != status || problem.Status != status || problem.Title == "" {
		t.Errorf("%s %.100s %.50q: %d, %+v, %v, want %d", method, path, body, got, problem, err, status)
	}
	for _, word := range words {
		if !strings.Contains(problem.Detail, word) {
			t.Errorf("%s %.100s: %q does not say %q", method, path, problem.Detail, word)
		}
	}
}

// flow is the record of one, and whether there is one.
func (w *window) flow(t testing.TB, id string) (f flowRecord, ok bool) {
	t.Helper()
	status, err := w.call(t.Context(), http.MethodGet, "/v1/flows/"+id, nil, &f)
	if err != nil || status != http.StatusOK && status != http.StatusNotFound {
		t.Fatalf("flow %s: %d, %v", id, status, err)
	}
	return f, status == http.StatusOK
}

// flows are all that a query asks for, page by page.
func (w *window) flows(t testing.TB, query url.Values) (all []flowRecord) {
	t.Helper()
	query = cloned(query)
	for {
		var page flowPage
		w.must(t, http.MethodGet, "/v1/flows?"+query.Encode(), &page)
		all = append(all, page.Flows...)
		if page.Next == "" {
			return all
		}
		query.Set("after", page.Next)
	}
}

func cloned(query url.Values) url.Values {
	again := url.Values{}
	for name, values := range query {
		again[name] = values
	}
	return again
}

// find waits for the one flow of a client's port, and returns it.
func (w *window) find(t testing.TB, network string, client netip.AddrPort) (f flowRecord) {
	t.Helper()
	until(t, fmt.Sprintf("%s of %v is a flow", network, client), func() bool {
		found := w.flows(t, url.Values{"network": {network}, "client": {client.String()}})
		if len(found) > 1 {
			t.Fatalf("%d flows of %v: %+v", len(found), client, found)
		}
		if len(found) == 1 {
			f = found[0]
		}
		return len(found) == 1
	})
	return f
}

// end ends the flows of a query, and returns how many it says that there were.
func (w *window) end(t testing.TB, query url.Values) int {
	t.Helper()
	var said struct{ Ended int }
	w.must(t, http.MethodDelete, "/v1/flows?"+query.Encode(), &said)
	return said.Ended
}

// counters are all, by name.
func (w *window) counters(t testing.TB) map[string]int64 {
	t.Helper()
	var said struct{ Counters map[string]int64 }
	w.must(t, http.MethodGet, "/v1/counters", &said)
	return said.Counters
}

// sluice runs a command of sluice, which it tells the socket, and returns what it
// wrote and its exit status.
func (w *window) sluice(t testing.TB, args ...string) (out string, exit int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Getenv(plainEnv), append(args[:len(args):len(args)], "--control="+w.path)...)
	text, _ := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatalf("%v did not run", args)
	}
	return string(text), cmd.ProcessState.ExitCode()
}
