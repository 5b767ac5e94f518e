package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/cmd/sluice/api"
)

// serve answers at a socket of its own.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	c, err := New(path, "secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func answer(w http.ResponseWriter, status int, kind string, body any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func TestCalls(t *testing.T) {
	var got string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.String()
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("%s: no token", got)
		}
		answer(w, http.StatusOK, "application/json", map[string]any{})
	})
	ctx, q := t.Context(), &api.Query{}
	for want, call := range map[string]func() error{
		"GET /v1/status":                func() error { _, err := c.Status(ctx); return err },
		"GET /v1/counters":              func() error { _, err := c.Counters(ctx); return err },
		"GET /v1/top?by=client&limit=5": func() error { _, err := c.Top(ctx, "client", 5); return err },
		"GET /v1/flows":                 func() error { _, err := c.Page(ctx, q); return err },
		"GET /v1/flows/t0.1f.2a9":       func() error { _, err := c.Flow(ctx, "t0.1f.2a9"); return err },
		"GET /v1/flows/..%2Fstatus":     func() error { _, err := c.Flow(ctx, "../status"); return err },
		"DELETE /v1/flows/u1.3e8":       func() error { _, err := c.End(ctx, "u1.3e8"); return err },
		"DELETE /v1/flows?all=true":     func() error { _, err := c.EndAll(ctx, q, true); return err },
		"GET /v1/config":                func() error { _, err := c.Config(ctx); return err },
		"GET /v1/log-level":             func() error { _, err := c.LogLevel(ctx); return err },
		"PUT /v1/log-level":             func() error { _, err := c.SetLogLevel(ctx, "debug"); return err },
		"POST /v1/reload":               func() error { _, err := c.Reload(ctx); return err },
		"POST /v1/drain":                func() error { _, err := c.Drain(ctx); return err },
		"GET /healthz":                  func() error { _, err := c.Health(ctx, false); return err },
		"GET /readyz":                   func() error { _, err := c.Health(ctx, true); return err },
	} {
		if err := call(); err != nil || got != want {
			t.Errorf("%s, want %s: %v", got, want, err)
		}
	}
}

func TestFlowsTurnPages(t *testing.T) {
	pages := []api.FlowPage{{Flows: make([]api.Flow, 3), Next: "a"}, {Flows: make([]api.Flow, 2), Next: "b"}, {}}
	asked := 0
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusOK, "application/json", pages[asked])
		asked++
	})
	n := 0
	for _, err := range c.Flows(t.Context(), api.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 5 || asked != 3 {
		t.Errorf("%d flows of %d pages", n, asked)
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct {
		status int
		kind   string
		says   string
		gone   bool
	}{
		{404, "application/problem+json", "no flow t0.1.1", true},
		{400, "application/problem+json; charset=utf-8", "no flow t0.1.1", false},
		{401, "application/problem+json", "--token-file", false},
		{404, "text/html", `answered "404 Not Found"`, false},
		{302, "text/html", `answered "302 Found"`, false},
		{503, "text/plain", `answered "503 Service Unavailable"`, false},
	} {
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			answer(w, c.status, c.kind, api.Problem{Title: "Nothing", Status: c.status, Detail: "no flow t0.1.1"})
		})
		_, err := client.Flow(t.Context(), "t0.1.1")
		if err == nil || !strings.Contains(err.Error(), c.says) || IsGone(err) != c.gone {
			t.Errorf("%d %s: %v", c.status, c.kind, err)
		}
	}
}

func TestNotWellIsNoProblem(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusServiceUnavailable, "application/json", api.Health{Causes: []string{"a reactor is stuck"}})
	})
	h, err := c.Health(t.Context(), true)
	if err != nil || h.Well || len(h.Causes) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestAddresses(t *testing.T) {
	for address, says := range map[string]string{
		"/run/sluice/control.sock": "", "./sock": "", "127.0.0.1:9090": "", "[::1]:9090": "", "localhost:9090": "",
		"off": "--control off", "example.com:80": "want the path", "127.0.0.1": "want the path", "": "want the path", ":80": "want the path",
	} {
		_, err := New(address, "")
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestUnreached(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	for address, says := range map[string]string{
		filepath.Join(dir, "none.sock"): "no such socket; start sluice with --control " + dir,
		closed:                          "nobody listens",
	} {
		c, err := New(address, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", address, err)
		}
	}
	c, err := New(closed, "")
	if err != nil {
		t.Fatal(err)
	}
	cut := c.unreached(t.Context(), &net.OpError{Op: "read", Err: errors.New("strange")})
	if !strings.Contains(cut.Error(), "no sluice answers") {
		t.Error(cut)
	}
}

// TestPermissionNamesTheGroup: whoever runs the tests as root is refused nothing.
func TestPermissionNamesTheGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	if err := os.WriteFile(path, nil, 0o660); err != nil {
		t.Fatal(err)
	}
	c, err := New(path, "")
	if err != nil {
		t.Fatal(err)
	}
	refused := fmt.Errorf("dial unix: %w", fs.ErrPermission)
	if err := c.unreached(t.Context(), refused); !strings.Contains(err.Error(), path+": permission denied: it is for") {
		t.Error(err)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(path, 0, 1); err != nil { // of daemon, in every Debian
		t.Fatal(err)
	}
	if err := c.unreached(t.Context(), refused); !strings.Contains(err.Error(), "root and members of group daemon (usermod -aG daemon YOU") {
		t.Error(err)
	}
}
