//go:build linux

package e2e

import (
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// level reads the log level.
func (w *window) level(t *testing.T) string {
	t.Helper()
	var said struct{ Level string }
	w.must(t, http.MethodGet, "/v1/log-level", &said)
	return said.Level
}

// TestSteer reloads, changes the log level and begins the end by the control socket,
// and asserts that health says at each time what there is.
func TestSteer(t *testing.T) {
	t.Parallel()
	v := way{tproxy: true}
	s, w := controlled(t, v.installing("closed", "--drain-timeout=1m"))
	path := filepath.Join(t.TempDir(), "sluice.json")
	writeFile(t, path, `{"map": []}`)
	s.flags = append(s.flags, "--config="+path)
	if out, exit := w.sluice(t, "health"); exit != 1 || !strings.Contains(out, "no sluice answers at "+w.path) {
		t.Errorf("health where there is none: %d, %q", exit, out)
	}
	g := startFirst(t, s)
	w.wantHealth(t, true, true)
	near, far := g.pair(t, v)

	// Reload: the answer says what has changed, or why nothing has.
	var said struct{ Changes []string }
	writeFile(t, path, `{"map": "21000=50080"}`)
	w.must(t, http.MethodPost, "/v1/reload", &said)
	if all := strings.Join(said.Changes, "; "); !strings.Contains(all, "21000") && !strings.Contains(all, "map") {
		t.Errorf("a reload that changes the map and the level says %q", all)
	}
	answer(t, g.Server, netip.AddrPortFrom(v.server(), 50080))
	c := dialTCP(t, g.Client, v.dest(0))
	if err := exchange(c, "mapped"); err != nil {
		t.Error(err)
	}
	c.Close()
	writeFile(t, path, `{"map": "21000=nowhere"}`)
	w.wantProblem(t, http.MethodPost, "/v1/reload", "", http.StatusUnprocessableEntity, "nowhere")
	w.wantHealth(t, true, true)

	for _, level := range []string{"debug", "error", "info"} {
		if status, err := w.call(t.Context(), http.MethodPut, "/v1/log-level", strings.NewReader(`{"level":"`+level+`"}`), nil); err != nil || status != http.StatusOK || w.level(t) != level {
			t.Errorf("level %s: %d, %v, is %s", level, status, err, w.level(t))
		}
	}

	// Rules: another's table matters nothing; without the route of sluice's own nothing
	// arrives.
	run(t, g.Gateway, "nft", "add table inet others; flush table inet others; delete table inet others")
	w.wantHealth(t, true, true)
	until(t, "health says that the rules have no effect", func() bool {
		_ = g.Gateway.Run(t.Context(), "ip", "rule", "del", "priority", "90")
		_ = g.Gateway.Run(t.Context(), "ip", "-6", "rule", "del", "priority", "90")
		out, exit := w.sluice(t, "health", "--ready")
		return exit == 1 && strings.Contains(out, "no effect")
	})
	until(t, "they have effect again", func() bool { _, exit := w.sluice(t, "health", "--ready"); return exit == 0 })

	w.drains(t, g, func() {
		renew(near, far)
		mustWrite(t, near, payload(1000))
		wantBytes(t, far, payload(1000))
		near.Close()
		far.Close()
	})
}

// drains begins the end, twice, lets what runs finish, and asserts that it is the end.
func (w *window) drains(t *testing.T, g *gateway, finish func()) {
	t.Helper()
	for range 2 { // the second is no second signal
		var said struct {
			Connections int
			Seconds     float64
		}
		w.must(t, http.MethodPost, "/v1/drain", &said)
		if said.Seconds != 60 || said.Connections < 1 {
			t.Errorf("draining %+v", said)
		}
	}
	var status struct{ State string }
	until(t, "it drains", func() bool {
		w.must(t, http.MethodGet, "/v1/status", &status)
		return status.State == "draining"
	})
	w.wantHealth(t, true, false)
	finish()
	until(t, "it ends once all has finished", g.ended)
	if g.exit != nil {
		t.Errorf("exit %v", g.exit)
	}
	if _, err := os.Lstat(w.path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// wantHealth asserts what is said of health by the paths and by the command.
func (w *window) wantHealth(t *testing.T, live, ready bool) {
	t.Helper()
	for _, c := range []struct {
		path string
		args []string
		well bool
	}{{"/healthz", []string{"health"}, live}, {"/readyz", []string{"health", "--ready"}, ready}} {
		var said struct {
			Well   bool
			Causes []string
		}
		status, err := w.call(t.Context(), http.MethodGet, c.path, nil, &said)
		if want := map[bool]int{true: 200, false: 503}[c.well]; err != nil || status != want || said.Well != c.well || c.well != (len(said.Causes) == 0) {
			t.Errorf("%s: %d, %+v, %v, want %v", c.path, status, said, err, c.well)
		}
		if out, exit := w.sluice(t, c.args...); exit != map[bool]int{true: 0, false: 1}[c.well] {
			t.Errorf("%v: exit %d, %q, want %v", c.args, exit, out, c.well)
		}
	}
}
