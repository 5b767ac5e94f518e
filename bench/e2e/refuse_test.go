//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestStopWithoutSuccessor asserts that a connection which comes while sluice
// drains does not wait: it is reset, or forwarded past sluice where the rules fail
// open. UDP is served to the end.
func TestStopWithoutSuccessor(t *testing.T) {
	t.Parallel()
	for _, w := range ways() {
		for _, fail := range []string{"closed", "open"} {
			t.Run(fmt.Sprintf("%v fail %s", w, fail), func(t *testing.T) {
				t.Parallel()
				s := w.installing(fail, "--drain-timeout=1m")
				g := startGateway(t, s)
				g.shared = writeBackFDs
				nameCallers(t, g.Server, w.dest(1))
				near, far := g.pair(t, w)
				beginDrain(t, g, syscall.SIGTERM)
				ask := func() (who string, err error) {
					c, err := inClient(g, w.dest(1))
					if err != nil {
						return "", err
					}
					defer c.Close()
					text, err := io.ReadAll(c)
					return string(text), err
				}
				refused := func() bool {
					_, err := ask()
					return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ECONNREFUSED)
				}
				forwarded := func() bool {
					who, err := ask()
					return err == nil && who == w.client().String()
				}
				ends := map[string]func() bool{"closed": refused, "open": forwarded}[fail]
				until(t, "new connections end as they should", ends) // the log comes first
				before := synRetransmits(t, g.Client)
				for range 20 {
					if !ends() {
						t.Error("a connection ended otherwise")
					}
				}
				if n := synRetransmits(t, g.Client) - before; n > mostAgain {
					t.Errorf("%d SYNs were sent again", n)
				}
				if w.tproxy {
					if err := g.ping(w, startEcho(t, g.Server, w.dest(2)).at); err != nil {
						t.Error(err)
					}
				}
				if n := g.counters(t).number("refused_ending"); (n >= 20) != (w.tproxy && fail == "closed") {
					t.Errorf("refused_ending is %d", n)
				}
				renew(near, far)
				mustWrite(t, near, payload(1000))
				near.Close()
				wantEnd(t, far, payload(1000))
				far.Close()
				until(t, "sluice exits", g.ended)
				if g.exit != nil {
					t.Errorf("sluice exited with %v", g.exit)
				}
			})
		}
	}
}
