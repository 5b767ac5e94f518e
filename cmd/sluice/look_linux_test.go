package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/cmd/sluice/keep"
)

// fakeGuard is a guard whose keeper is the test.
func fakeGuard(t *testing.T) (*guard, *keep.Conn) {
	t.Helper()
	conn, file, err := keep.Pair()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = errors.Join(file.Close(), unix.SetNonblock(fd, true))
	}
	if err != nil {
		t.Fatal(err)
	}
	keeper := keep.NewConn(fd)
	process, err := os.FindProcess(os.Getpid()) // no child, so nobody waits for it
	if err != nil {
		t.Fatal(err)
	}
	g := &guard{conn: conn, process: process, holds: true,
		replies: make(chan keep.Reply), gone: make(chan struct{}), leaving: make(chan struct{})}
	go g.listen()
	t.Cleanup(func() { keeper.Close(); g.end() })
	return g, keeper
}

// answers has the keeper answer one look.
func answers(t *testing.T, keeper *keep.Conn, with keep.Reply) {
	go func() {
		r, err := keeper.Request()
		if err == nil && r.Do == keep.Look {
			err = keeper.Send(with)
		}
		if err != nil || r.Do != keep.Look {
			t.Errorf("asked for %q, %v", r.Do, err)
		}
	}()
}

// TestGuardRules: who asks gets what the keeper said some seconds ago, what was known
// while the rules are changed, and never "effective" where nobody knows.
func TestGuardRules(t *testing.T) {
	g, keeper := fakeGuard(t)
	answers(t, keeper, keep.Reply{Rules: &keep.Rules{Installed: true, Hints: []string{"a sysctl\x1b"}, Zones: []int{115}}})
	if r := g.rules(); !r.Installed || !r.Effective || len(r.Zones) != 1 || len(r.Findings) != 1 || strings.Contains(r.Findings[0], "\x1b") {
		t.Errorf("%+v", r)
	}
	for range 3 {
		if r := g.rules(); !r.Effective { // the keeper is not asked, else this hangs
			t.Errorf("again: %+v", r)
		}
	}
	g.looks.last.Store(&look{g.looks.last.Load().rules, time.Now().Add(-time.Hour)})
	g.asking.Lock()
	if r := g.rules(); !r.Effective {
		t.Errorf("while they are changed: %+v", r)
	}
	g.asking.Unlock()
	answers(t, keeper, keep.Reply{Rules: &keep.Rules{Installed: true, Amiss: []string{"ip rule 90 is gone"}}})
	if r := g.rules(); !r.Installed || r.Effective || r.Findings[0] != "ip rule 90 is gone" {
		t.Errorf("amiss: %+v", r)
	}
}

// TestGuardUnknown: before they are in place, after an error, and without a keeper,
// rules are not effective.
func TestGuardUnknown(t *testing.T) {
	g, keeper := fakeGuard(t)
	g.asking.Lock()
	if r := g.rules(); r.Installed || r.Effective || len(r.Findings) != 1 {
		t.Errorf("not in place: %+v", r)
	}
	g.looks.changed(true)
	if r := g.rules(); !r.Installed || !r.Effective {
		t.Errorf("put in place, and not looked at: %+v", r)
	}
	g.asking.Unlock()
	answers(t, keeper, keep.Reply{Error: "netlink: no"})
	if r := g.rules(); !r.Installed || r.Effective || r.Findings[0] != "netlink: no" {
		t.Errorf("after an error: %+v", r)
	}
	g.holds = false
	g.looks.changed(false)
	if r := g.rules(); r.Installed || r.Effective || len(r.Findings) != 0 {
		t.Errorf("without rules: %+v", r)
	}
	keeper.Close()
	<-g.gone
	if r := g.rules(); r.Effective || len(r.Findings) != 1 {
		t.Errorf("without a keeper: %+v", r)
	}
}

func TestKeeperLooksAtNothing(t *testing.T) {
	if r, err := new(keeper).look(); err != nil || r == nil || r.Installed {
		t.Errorf("%+v, %v", r, err)
	}
}
