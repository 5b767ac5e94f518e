//go:build linux

package e2e

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"sluice/bench/lab"
)

// pastSluice counts what the gateway forwards from the client.
const pastSluice = `table inet watch {
	counter forwarded { }
	chain forward { type filter hook forward priority -400; iifname lan counter name forwarded; }
}
`

// TestSourceFails kills sluice: with --fail closed nothing of the client's gets
// past it then, with --fail open all of it does, and the next one carries it again.
func TestSourceFails(t *testing.T) {
	t.Parallel()
	for _, fail := range []string{"closed", "open"} {
		t.Run(fail, func(t *testing.T) {
			t.Parallel()
			overSources(t, []source{clientSource, addressSource, foreignSource}, func(t *testing.T, s source) {
				with := setup{listen: []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)},
					flags: []string{"--source=" + string(s), "--install-rules", "--iface=" + lab.LAN, "--fail=" + fail, "--udp-timeout=1s"}}
				g := launch(t, lab.For(t, lab.Options{}), with)
				g.untilReady(t)
				g.load(t, pastSluice)
				for _, w := range udpWays() {
					startWitness(t, g.Server, w.dest(0))
					g.assertCarries(t, s, w, w.client(), w.dest(0))
				}
				if n := g.counted(t, "inet", "watch", "forwarded"); n > 0 {
					t.Errorf("%d packets were forwarded past sluice", n)
				}
				g.signal(t, syscall.SIGKILL)
				<-g.exited
				for _, w := range udpWays() {
					g.assertGone(t, w, fail == "open")
				}
				if n := g.counted(t, "inet", "watch", "forwarded"); (n > 0) != (fail == "open") {
					t.Errorf("%d packets were forwarded", n)
				}
				next := launch(t, g.Lab, with)
				next.untilReady(t)
				next.base, next.shared = next.FDs(), writeBackFDs
				for _, w := range udpWays() {
					next.assertCarries(t, s, w, w.client(), w.dest(0))
				}
				next.finish(t)
			})
		})
	}
}

// untilReady waits until a sluice has its rules and its listeners.
func (g *gateway) untilReady(t *testing.T) {
	t.Helper()
	until(t, "sluice is ready", func() bool {
		if g.ended() {
			t.Fatalf("sluice ended early: %v\n%s", g.exit, g.log)
		}
		return len(g.log.since(0, message("ready"))) > 0
	})
}

// assertGone asserts that a client without a sluice reaches the server as itself, or
// not at all.
func (g *gateway) assertGone(t *testing.T, w way, open bool) {
	t.Helper()
	const shortly = 300 * time.Millisecond
	err := g.Client.Do(func() error {
		d := net.Dialer{Timeout: shortly}
		conn, err := d.Dial("tcp", w.dest(0).String())
		if err != nil {
			return err
		}
		conn.Close()
		return nil
	})
	if (err == nil) != open {
		t.Errorf("%v, tcp without sluice: %v", w, err)
	}
	socket := g.udpClient(t, w)
	seen, err := askUDP(socket, w.dest(0), shortly)
	if (err == nil) != open || open && seen.Addr() != w.client() {
		t.Errorf("%v, udp without sluice: %v, %v", w, seen, err)
	}
}
