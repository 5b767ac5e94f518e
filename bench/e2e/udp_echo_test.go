//go:build linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"sluice/bench/lab"
)

// writeBackFDs are the fds that sluice may keep after a test of UDP: write-back
// sockets, one for each reactor, family and source port of a reply.
const writeBackFDs = 200

// udpTimeout is short, so that a test sees sessions end, and long enough for
// what it does in between.
const udpTimeout = 2 * time.Second

// startUDPGateway diverts every port to TPROXY, unless the setup says how.
func startUDPGateway(t *testing.T, s setup) *gateway {
	t.Helper()
	if s.divert == nil {
		s.divert = divertAll
	}
	s.listen = []string{fmt.Sprintf("--tproxy=:%d", tproxyPort)}
	s.flags = append([]string{"--udp-timeout=" + udpTimeout.String()}, s.flags...)
	g := startGateway(t, s)
	g.shared = writeBackFDs
	return g
}

// datagram is what arrived, and from where.
type datagram struct {
	from netip.AddrPort
	data []byte
}

// echo answers each datagram with itself, and tells whom it came from.
type echo struct {
	at   netip.AddrPort
	conn *net.UDPConn
	mu   sync.Mutex // guards seen
	seen []netip.AddrPort
}

// startEcho runs an echo server in a namespace until the test ends.
func startEcho(tb testing.TB, ns *lab.Namespace, at netip.AddrPort) *echo {
	tb.Helper()
	e := &echo{at: at, conn: listenUDP(tb, ns, at)}
	_ = e.conn.SetDeadline(time.Time{})
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := e.conn.ReadFromUDPAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				e.mu.Lock()
				e.seen = append(e.seen, from)
				e.mu.Unlock()
				_, _ = e.conn.WriteToUDPAddrPort(buf[:n], from)
			}
		}
	}()
	return e
}

// last is whom the last datagram came from.
func (e *echo) last() netip.AddrPort {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.seen) == 0 {
		return netip.AddrPort{}
	}
	return e.seen[len(e.seen)-1]
}

// next reads one datagram, waiting no longer than d.
func next(c *net.UDPConn, d time.Duration) (datagram, error) {
	buf := make([]byte, 1<<16)
	_ = c.SetReadDeadline(time.Now().Add(d))
	n, from, err := c.ReadFromUDPAddrPort(buf)
	return datagram{from, buf[:n]}, err
}

// ask sends a datagram and asserts that the same comes back from where it went.
func ask(t testing.TB, c *net.UDPConn, dest netip.AddrPort, data []byte) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort(data, dest); err != nil {
		t.Fatal(err)
	}
	got, err := next(c, patience)
	if err != nil || got.from != dest || !bytes.Equal(got.data, data) {
		t.Fatalf("asked %v with %d bytes; %d bytes came from %v (%v)", dest, len(data), len(got.data), got.from, err)
	}
}

// wantNothing asserts that no datagram arrives for a while.
func wantNothing(t *testing.T, c *net.UDPConn) {
	t.Helper()
	if got, err := next(c, 200*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d bytes came from %v (%v), want none", len(got.data), got.from, err)
	}
}

// client opens a client's socket.
func (g *gateway) udpClient(tb testing.TB, w way) *net.UDPConn {
	tb.Helper()
	return listenUDP(tb, g.Client, netip.AddrPortFrom(w.client(), 0))
}
