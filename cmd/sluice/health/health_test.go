package health

import (
	"strings"
	"testing"
	"time"

	"sluice/cmd/sluice/api"
)

// well are facts of a sluice that has nothing to complain of.
func well() Facts {
	return Facts{
		State: "serving", Beats: []time.Duration{time.Second, 0},
		Installs: true, Rules: api.Rules{Installed: true, Effective: true, Findings: []string{"a sysctl should change"}},
		TCP: true, UDP: true, Connections: 9, Sessions: 9,
		Limits: api.Limits{Connections: 10, Sessions: 10, FDs: 100}, Use: api.Use{FDs: 92},
	}
}

// TestHealth: each fact alone, and what it makes of the two answers.
func TestHealth(t *testing.T) {
	for name, c := range map[string]struct {
		change      func(*Facts)
		live, ready bool
		says        string // a cause; "": none
	}{
		"well":             {func(*Facts) {}, true, true, ""},
		"stuck":            {func(f *Facts) { f.Beats[1] = 4 * time.Second }, false, false, "reactor 1 of 2 has not turned for 4s"},
		"keeper":           {func(f *Facts) { f.KeeperGone = true }, false, false, "keeper of the rules has ended"},
		"starting":         {func(f *Facts) { f.State = "starting" }, true, false, "not serving yet (starting)"},
		"draining":         {func(f *Facts) { f.State, f.Rules = "draining", api.Rules{} }, true, false, "told to end"},
		"handed over":      {func(f *Facts) { f.State, f.Rules = "handed-over", api.Rules{} }, true, false, "taken over"},
		"rules gone":       {func(f *Facts) { f.Rules = api.Rules{} }, true, false, "not installed (sluice rules status"},
		"rules amiss":      {func(f *Facts) { f.Rules.Effective, f.Rules.Findings = false, []string{"a", "b"} }, true, false, "no effect: a; b (sluice"},
		"others' rules":    {func(f *Facts) { f.Installs, f.Rules = false, api.Rules{} }, true, true, ""},
		"connections":      {func(f *Facts) { f.Connections = 10 }, true, false, "10 connections, and may be 10"},
		"no TCP":           {func(f *Facts) { f.TCP, f.Connections, f.Limits.Connections = false, 0, 0 }, true, true, ""},
		"sessions":         {func(f *Facts) { f.Sessions, f.Limits.SessionsBound = 11, "fd_limit" }, true, false, "raise the fd limit"},
		"sessions by flag": {func(f *Facts) { f.Sessions, f.Limits.SessionsBound = 11, "--udp-sessions" }, true, false, "raise --udp-sessions"},
		"sessions by port": {func(f *Facts) { f.Sessions, f.Limits.SessionsBound = 11, "ip_local_port_range" }, true, false, "raise net.ipv4.ip_local_port_range"},
		"no UDP":           {func(f *Facts) { f.UDP, f.Sessions, f.Limits.Sessions = false, 0, 0 }, true, true, ""},
		"fds":              {func(f *Facts) { f.Use.FDs = 93 }, true, false, "93 of 100 fds"},
		"fds unknown":      {func(f *Facts) { f.Use.FDs, f.Limits.FDs = 0, 0 }, true, true, ""},
		"memory":           {func(f *Facts) { f.Use.MemoryShort = true }, true, false, "memory is short"},
	} {
		f := well()
		c.change(&f)
		live, ready := Live(&f), Ready(&f)
		if live.Well != c.live || ready.Well != c.ready {
			t.Errorf("%s: live %+v, ready %+v", name, live, ready)
		}
		if said := strings.Join(ready.Causes, "\n"); c.says == "" && said != "" || !strings.Contains(said, c.says) || strings.Contains(said, "\n") {
			t.Errorf("%s: %q, want %q alone", name, said, c.says)
		}
		if ready.Well != (len(ready.Causes) == 0) || live.Well != (len(live.Causes) == 0) {
			t.Errorf("%s: %+v, %+v", name, live, ready)
		}
	}
}
