//go:build linux

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// manyLines is how long a list of TestRuleSetReload is, and manyTime how long it may
// take a loaded machine to read it.
const (
	manyLines = 1_000_000
	manyTime  = 10 * time.Second
)

// writeList writes some lines, and so many others before them: prefixes of both
// families, and names.
func writeList(t *testing.T, path string, others int, lines ...string) {
	t.Helper()
	next := path + ".next"
	f, err := os.Create(next)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "# what goes by a proxy")
	for i := range others {
		switch i % 4 {
		case 0, 1:
			fmt.Fprintf(w, "%d.%d.%d.%d/30\n", 20+i>>20, i>>12&0xff, i>>4&0xff, i&0xf<<4)
		case 2:
			fmt.Fprintf(w, "2a00:%x:%x::/48\n", i>>16, i&0xffff)
		default:
			fmt.Fprintf(w, "host%d.example.org # a name\n", i)
		}
	}
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
	if err := errors.Join(w.Flush(), f.Close(), os.Rename(next, path)); err != nil {
		t.Fatal(err)
	}
}

// TestRuleSetReload asserts that a reload which reads another list changes the way of
// flows that begin, and of none that runs; that a list of a million lines is read in
// seconds; and that a bad one changes nothing.
func TestRuleSetReload(t *testing.T) {
	t.Parallel()
	// The list's own directory: sluice may read that of its configuration.
	g := startRoutes(t, setup{plain: true}, object{"outbounds": []object{{"type": "direct", "tag": "direct"}}})
	list := filepath.Join(filepath.Dir(g.path), "far.list")
	writeList(t, list, 10, "198.18.40.0/24", "2001:2::40:0/112")
	g.write(t, object{
		"outbounds": []object{{"type": "direct", "tag": "direct"}, through(1, "socks", nil)},
		"route": object{"rule_set": []object{{"type": "local", "tag": "far", "format": "list", "path": "far.list"}},
			"rules": []object{{"rule_set": "far", "outbound": "p1"}}},
	})
	g.reload(t)
	g.startProxy(t, 1, manner{})
	on := func(w way, n int) netip.AddrPort {
		return netip.AddrPortFrom(w.pick(fmt.Sprintf("198.18.%d.1", n), fmt.Sprintf("2001:2::%d:1", n)), w.port(0))
	}
	for _, w := range ways() {
		for _, n := range []int{40, 41} {
			tellPeers(t, g.Server, on(w, n))
		}
	}
	wantWays := func(want40, want41 string) {
		t.Helper()
		for _, w := range ways() {
			g.wantWay(t, "tcp", w.client(), on(w, 40), want40)
			g.wantWay(t, "tcp", w.client(), on(w, 41), want41)
			if w.tproxy {
				g.wantWay(t, "udp", w.client(), on(w, 40), want40)
				g.wantWay(t, "udp", w.client(), on(w, 41), want41)
			}
		}
	}
	wantWays("p1", wentDirect)
	stop := g.keepRunning(t)
	begin := time.Now()
	writeList(t, list, manyLines, "198.18.41.0/24", "2001:2::41:0/112")
	written := time.Now()
	g.reload(t)
	took := time.Since(written)
	t.Logf("a million lines: written in %v, reloaded in %v, %d MB resident", written.Sub(begin), took, g.Memory()>>20)
	if took > manyTime {
		t.Errorf("a million lines took %v to reload", took)
	}
	wantWays(wentDirect, "p1")
	writeList(t, list, 2, "198.18.40.0/24", "no prefix, no name")
	before := g.log.Len()
	g.signal(t, syscall.SIGHUP)
	until(t, "the bad list is named, with its line", func() bool {
		return len(g.log.since(before, func(e entry) bool { return strings.Contains(fmt.Sprint(e), "far.list:5") })) > 0
	})
	wantWays(wentDirect, "p1")
	writeList(t, list, 0, "198.18.40.0/24", "2001:2::40:0/112")
	g.reload(t)
	wantWays("p1", wentDirect)
	stop()
}

// keepRunning has flows of both kinds ask and be answered until stop, which asserts
// that all of them are those that they were.
func (g routed) keepRunning(t *testing.T) (stop func()) {
	t.Helper()
	over := make(chan struct{})
	var running sync.WaitGroup
	for _, w := range ways() {
		for _, n := range []int{40, 41} {
			at := netip.AddrPortFrom(w.pick(fmt.Sprintf("198.18.%d.1", n), fmt.Sprintf("2001:2::%d:1", n)), w.port(1))
			echoTCP(t, g.Server, at)
			c := dialTCP(t, g.Client, at)
			_ = c.SetDeadline(time.Time{})
			running.Go(func() {
				keep(t, over, fmt.Sprintf("TCP to %v", at), func() error { return exchange(c, "still there?") })
			})
			if !w.tproxy {
				continue
			}
			e := startEcho(t, g.Server, at)
			u := g.udpClient(t, w)
			_ = u.SetDeadline(time.Time{})
			ask(t, u, at, []byte("first"))
			first := e.last()
			running.Go(func() {
				keep(t, over, fmt.Sprintf("UDP to %v", at), func() error {
					if _, err := u.WriteToUDPAddrPort([]byte("again"), at); err != nil {
						return err
					}
					if _, err := next(u, patience); err != nil {
						return err
					}
					if now := e.last(); now != first {
						return fmt.Errorf("seen at %v, and at %v before", now, first)
					}
					return nil
				})
			})
		}
	}
	return func() {
		close(over)
		running.Wait()
	}
}

// keep does something again and again until over, and tells what fails.
func keep(t *testing.T, over <-chan struct{}, what string, do func() error) {
	for n := 0; ; n++ {
		select {
		case <-over:
			return
		default:
		}
		if err := do(); err != nil {
			t.Errorf("%s, after %d times: %v", what, n, err)
			return
		}
		pass(5 * pollPause)
	}
}

// TestSecrets asserts that passwords are told to proxies and to nobody else: not by
// the log, --print-config or the process list, wherever they come from.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const secret = "Zk9-not-to-be-seen"
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := func(more object) string {
		r := routed{path: filepath.Join(t.TempDir(), "sluice.json")}
		r.write(t, object{"outbounds": []object{through(1, "socks", more)}})
		return r.path
	}
	env := func(name string) []string { return []string{"env", name + "=" + secret} }
	for _, c := range []struct {
		name   string
		under  []string
		listen []string
		flags  []string
	}{
		{name: "flag", flags: []string{"--upstream=socks5://someone:" + secret + "@10.77.2.2:30001"}},
		{name: "flag and file", flags: []string{"--upstream=socks5://someone@10.77.2.2:30001", "--upstream-password-file=" + file}},
		{name: "environment", under: []string{"env", "SLUICE_UPSTREAM=socks5://someone:" + secret + "@10.77.2.2:30001"}},
		{name: "configuration", listen: []string{"--config=" + config(object{"username": "someone", "password": secret})}},
		{name: "file of the configuration", listen: []string{"--config=" + config(object{"username": "someone", "password_file": file})}},
		{name: "environment of the configuration", under: env("PROXY_PASSWORD"),
			listen: []string{"--config=" + config(object{"username": "someone", "password": "env:PROXY_PASSWORD"})}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGateway(t, setup{under: c.under, listen: c.listen, flags: append(c.flags, "--log-level=trace")})
			g.startProxy(t, 1, manner{user: "someone", password: secret})
			for _, w := range ways()[2:] {
				tellPeers(t, g.Server, w.dest(0))
				g.wantWay(t, "tcp", w.client(), w.dest(0), "p1")
			}
			if strings.Contains(g.log.String(), secret) {
				t.Error("the log has the password")
			}
			for _, path := range glob(t, "/proc/[0-9]*/cmdline") {
				if text, _ := os.ReadFile(path); strings.Contains(string(text), secret) && !strings.HasPrefix(string(text), "env\x00") {
					t.Errorf("%s has the password: %q", path, text)
				}
			}
			listen := c.listen
			if listen == nil {
				listen = []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)}
			}
			args := append(append(append([]string{}, c.under...), os.Getenv(binaryEnv), "run", "--print-config"), append(listen, c.flags...)...)
			out, err := g.Gateway.Command(t.Context(), args[0], args[1:]...).CombinedOutput()
			if err != nil || strings.Contains(string(out), secret) || !strings.Contains(string(out), "someone") {
				t.Errorf("--print-config: %v\n%s", err, out)
			}
		})
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
