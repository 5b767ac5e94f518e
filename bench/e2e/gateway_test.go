//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sluice/bench/inject"
	"sluice/bench/lab"
	"sluice/bench/program"
)

// setup says how a gateway differs from the ordinary one.
type setup struct {
	lab    lab.Options
	listen []string             // of sluice run; nil: --redirect and --tproxy on both families
	flags  []string             // of sluice run, beside listen
	divert func(*lab.Lab) error // nil: divertNFT
	under  []string             // a program that execs sluice: prlimit, setpriv
	plain  bool                 // heavy load: never with the race detector
	watch  []uintptr            // system calls that may be made to fail
}

// gateway is a lab with its rules and a running sluice. Tests may use it from
// several goroutines, but for stop.
type gateway struct {
	*lab.Lab
	program.Process // of sluice
	log             *journal
	cmd             *exec.Cmd
	exited          chan struct{}    // closed once exit is known
	exit            error            // of exec.Cmd.Wait
	base            int              // fds when it was ready
	shared          int              // fds beyond base that sluice may keep for later: write-back sockets
	faults          *inject.Injector // of setup.watch; nil: none
}

// divertNFT installs the ordinary rules.
func divertNFT(l *lab.Lab) error {
	return errors.Join(
		l.RedirectNFT(redirectPort, ports(redirectFirst)...),
		l.TProxyNFT(tproxyPort, append(ports(tproxyFirst), 53)...))
}

// divertIPTables installs the same by iptables.
func divertIPTables(l *lab.Lab) error {
	return errors.Join(
		l.Redirect(redirectPort, ports(redirectFirst)...),
		l.TProxy(tproxyPort, ports(tproxyFirst)...),
		l.TProxy(tproxyPort, 53))
}

// divertAll hands every TCP and UDP port to TPROXY.
func divertAll(l *lab.Lab) error { return l.TProxyNFT(tproxyPort) }

// divertNothing leaves the rules to sluice's own --install-rules.
func divertNothing(*lab.Lab) error { return nil }

// startGateway makes a lab and runs sluice in it until it is ready. At the end
// of the test it asserts that sluice has nothing left and exits with 0.
func startGateway(t *testing.T, s setup) *gateway {
	t.Helper()
	l := lab.For(t, s.lab)
	if s.divert == nil {
		s.divert = divertNFT
	}
	if err := s.divert(l); err != nil {
		if missing := lab.MissingProgram(""); errors.As(err, &missing) {
			needProgram(t, string(missing), string(missing))
		}
		t.Fatal(err)
	}
	g := launch(t, l, s)
	until(t, "sluice is ready", func() bool {
		if g.ended() {
			t.Fatalf("sluice ended early: %v\n%s", g.exit, g.log)
		}
		return len(g.log.since(0, message("ready"))) > 0
	})
	g.assertEngine(t, s.flags)
	g.base = g.FDs()
	t.Cleanup(func() { g.finish(t) })
	return g
}

// assertEngine asserts that sluice, where its flags name no engine, has the one that
// make test ENGINE= names.
func (g *gateway) assertEngine(t testing.TB, flags []string) {
	t.Helper()
	want := os.Getenv("SLUICE_ENGINE")
	if want == "" || want == "auto" || slices.ContainsFunc(flags, func(f string) bool { return strings.HasPrefix(f, "--engine") }) {
		return
	}
	if ready := g.log.since(0, message("ready")); len(ready) == 1 && ready[0].text("engine") != want {
		t.Fatalf("the engine is %s, and should be %s", ready[0].text("engine"), want)
	}
}

// launch starts sluice in the lab's gateway. It is killed at the end of the test
// if it still runs.
func launch(t *testing.T, l *lab.Lab, s setup) *gateway {
	t.Helper()
	if s.listen == nil {
		s.listen = []string{fmt.Sprintf("--redirect=:%d", redirectPort), fmt.Sprintf("--tproxy=:%d", tproxyPort)}
	}
	binary := os.Getenv(binaryEnv)
	if s.plain {
		binary = os.Getenv(plainEnv)
	}
	args := slices.Concat(s.under, []string{binary, "run", "--log-level=debug"}, s.listen, s.flags)
	g := &gateway{Lab: l, log: &journal{}, exited: make(chan struct{})}
	g.cmd = l.Gateway.Command(context.Background(), args[0], args[1:]...)
	g.cmd.Stderr = g.log
	g.cmd.Stdout = g.log
	if err := g.start(s.watch); err != nil {
		t.Fatal(err)
	}
	g.Process = program.Process(g.cmd.Process.Pid)
	go func() {
		g.exit = g.cmd.Wait()
		close(g.exited)
	}()
	t.Cleanup(func() {
		_ = g.cmd.Process.Kill()
		<-g.exited
		if t.Failed() {
			t.Logf("sluice %s\n%s", strings.Join(args, " "), g.log)
		}
	})
	return g
}

func (g *gateway) start(watch []uintptr) (err error) {
	if len(watch) == 0 {
		return g.cmd.Start()
	}
	g.faults, err = inject.Start(g.cmd, watch...)
	return err
}

func (g *gateway) ended() bool {
	select {
	case <-g.exited:
		return true
	default:
		return false
	}
}

func (g *gateway) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := g.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal sluice: %v", err)
	}
}

// halt stops every thread of sluice, until SIGCONT; kill(2) returns while they
// still run.
func (g *gateway) halt(t testing.TB) {
	t.Helper()
	g.signal(t, syscall.SIGSTOP)
	until(t, "all threads of sluice rest", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", g.cmd.Process.Pid))
		for _, stat := range threads {
			fields, err := os.ReadFile(stat)
			if _, state, found := strings.Cut(string(fields), ") "); err != nil || !found || state[0] != 'T' {
				return false
			}
		}
		return err == nil && len(threads) > 0
	})
}

// counters asks sluice for its counters.
func (g *gateway) counters(t testing.TB) entry {
	t.Helper()
	before := g.log.Len()
	g.signal(t, syscall.SIGUSR1)
	var found []entry
	until(t, "sluice logs its counters", func() bool {
		found = g.log.since(before, message("counters"))
		return len(found) > 0
	})
	return found[0]
}

// untilCounter waits until a counter is n.
func (g *gateway) untilCounter(t testing.TB, name string, n int) {
	t.Helper()
	last := -1
	if !eventually(patience, func() bool { last = g.counters(t).number(name); return last == n }) {
		t.Fatalf("%s is %d, want %d", name, last, n)
	}
}

// finish asserts that nothing is left, and ends sluice.
func (g *gateway) finish(t *testing.T) {
	if g.ended() || t.Failed() {
		return
	}
	g.assertNothingLeft(t)
	g.signal(t, syscall.SIGTERM)
	g.assertExit(t)
}

// assertNothingLeft waits until sluice has given back all that it held.
func (g *gateway) assertNothingLeft(t testing.TB) {
	t.Helper()
	g.untilCounter(t, "conns_now", 0)
	g.untilCounter(t, "udp_sessions_now", 0)
	if !eventually(patience, func() bool { return g.FDs() <= g.base+g.shared }) {
		t.Errorf("%d fds, %d when ready: %s", g.FDs(), g.base, g.openFiles())
	}
	if left := g.children(); left != "" {
		t.Errorf("child processes left: %s", left)
	}
}

// assertExit asserts that sluice exits with 0, and says that nothing was left.
func (g *gateway) assertExit(t testing.TB) {
	t.Helper()
	until(t, "sluice exits", g.ended)
	if g.exit != nil {
		t.Errorf("sluice exited with %v", g.exit)
	}
	last := g.log.since(0, message("stopped"))
	if len(last) != 1 || last[0].number("conns_now") != 0 || last[0].number("udp_sessions_now") != 0 {
		t.Errorf("last words: %v", last)
	}
}
