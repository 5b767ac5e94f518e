//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"sluice/bench/lab"
)

// TestReloadMovesPorts asserts that no connection fails, and none gets past
// sluice, while reloads move its listeners and its rules from port to port.
func TestReloadMovesPorts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		w    way
		fail string
	}{
		{way{tproxy: true}, "closed"}, {way{tproxy: true, v6: true}, "open"}, {way{}, "closed"}, {way{v6: true}, "open"},
	} {
		t.Run(fmt.Sprintf("%v fail %s", c.w, c.fail), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "sluice.json")
			kind := map[bool]string{true: "tproxy", false: "redirect"}[c.w.tproxy]
			configure := func(port int) {
				writeFile(t, path, fmt.Sprintf(`{"inbounds": [{"type": %q, "listen_port": %d}], "install_rules": true,
					"rules": {"via": %q, "fail": %q, "iface": [%q]}}`, kind, port, kind, c.fail, lab.LAN))
			}
			configure(20000)
			g := startGateway(t, setup{listen: []string{"--config=" + path}, divert: func(*lab.Lab) error { return nil }})
			g.shared = 2 // netlink sockets that watch the rules; they may open after it is ready
			nameCallers(t, g.Server, c.w.dest(0))
			stop := g.keepAsking(t, c.w)
			for i := range 6 {
				configure(20000 + (i+1)%2)
				before := g.log.Len()
				g.signal(t, syscall.SIGHUP)
				until(t, "sluice has reloaded", func() bool { return len(g.log.since(before, message("reloaded"))) > 0 })
			}
			if asked := stop(); asked < 100 {
				t.Errorf("only %d connections in all that time", asked)
			}
		})
	}
}

// nameCallers serves TCP at an address: each client is told who it seems to be.
func nameCallers(t *testing.T, ns *lab.Namespace, at netip.AddrPort) {
	t.Helper()
	serveTCP(t, ns, at, func(c *net.TCPConn) {
		_, _ = io.WriteString(c, c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().String())
	})
}

// keepAsking opens connections one after the other, in several places at once,
// until stop, which returns how many. Each must come from sluice.
func (g *gateway) keepAsking(t *testing.T, w way) (stop func() (asked int64)) {
	var asked atomic.Int64
	var running sync.WaitGroup
	over := make(chan struct{})
	ask := func() error {
		c, err := inClient(g, w.dest(0))
		if err != nil {
			return err
		}
		defer c.Close()
		got, err := io.ReadAll(c)
		if err == nil && string(got) != w.seen().String() {
			err = fmt.Errorf("the server saw %q", got)
		}
		return err
	}
	for range 8 {
		running.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if err := ask(); err != nil {
					t.Errorf("after %d connections: %v", asked.Load(), err)
					return
				}
				asked.Add(1)
			}
		})
	}
	return func() int64 {
		close(over)
		running.Wait()
		return asked.Load()
	}
}
