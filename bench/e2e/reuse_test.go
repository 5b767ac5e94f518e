//go:build linux

package e2e

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// TestClientPortIsUsedAgain asserts that a client that connects again from the
// same port, while the gateway still has the earlier connection in TIME_WAIT, is
// answered at its first SYN. (A divert rule that gives the SYN to that socket
// costs the client a second.)
func TestClientPortIsUsedAgain(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	overWays(t, ways(), func(t *testing.T, w way) {
		ln := listenTCP(t, g.Server, w.dest(0))
		from := netip.AddrPortFrom(w.client(), 40123)
		for range 3 {
			client := inside(t, g.Client, func() (*net.TCPConn, error) { return connect(from, w.dest(0)) })
			server := accept(t, ln)
			control(t, client, func(fd int) error {
				info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
				if err == nil && info.Total_retrans != 0 {
					t.Errorf("the client sent %d packets again", info.Total_retrans)
				}
				return err
			})
			server.Close() // first, so that TIME_WAIT is the gateway's
			wantEnd(t, client, nil)
			client.Close()
			until(t, "the connection is over", func() bool { return g.counters(t).number("conns_now") == 0 })
		}
	})
}
