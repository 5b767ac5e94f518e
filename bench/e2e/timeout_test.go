//go:build linux

package e2e

import (
	"net"
	"testing"
	"time"
)

// TestTimeouts asserts that a connection without traffic is reset after its
// limit, that a half closed one has a limit of its own, and that traffic in
// either direction puts both off.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	const limit = 2 * time.Second // long beside the pauses that a busy machine makes
	for name, c := range map[string]struct {
		flags   []string
		begin   func(t *testing.T, near, far *net.TCPConn)
		counter string
	}{
		"idle": {[]string{"--idle-timeout=" + limit.String()}, func(*testing.T, *net.TCPConn, *net.TCPConn) {}, "timed_out_idle"},
		"half closed": {[]string{"--half-close-timeout=" + limit.String()}, func(t *testing.T, near, far *net.TCPConn) {
			mustCloseWrite(t, near)
			wantEnd(t, far, nil)
		}, "timed_out_half_closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{flags: c.flags})
			var pairs [][2]*net.TCPConn
			for _, w := range ways() {
				client, server := g.pair(t, w)
				pairs = append(pairs, [2]*net.TCPConn{client, server})
				client, server = g.pair(t, w)
				pairs = append(pairs, [2]*net.TCPConn{server, client})
			}
			for _, p := range pairs {
				c.begin(t, p[0], p[1])
			}
			silent := make([]time.Time, len(pairs))
			for range 6 { // longer than the limit in all
				pass(limit / 4)
				for i, p := range pairs {
					silent[i] = time.Now()
					mustWrite(t, p[1], payload(1))
					wantBytes(t, p[0], payload(1))
				}
			}
			for i, p := range pairs {
				wantReset(t, p[0], nil)
				if took := time.Since(silent[i]); took < limit || took > 3*limit {
					t.Errorf("reset after %v of silence, limit %v", took, limit)
				}
			}
			if n := g.counters(t).number(c.counter); n != len(pairs) {
				t.Errorf("%s is %d, want %d", c.counter, n, len(pairs))
			}
		})
	}
}

// TestMaxConns asserts that connections beyond the bound wait for their turn.
func TestMaxConns(t *testing.T) {
	t.Parallel()
	const most = 8
	g := startGateway(t, setup{flags: []string{"--max-conns=8"}})
	w := way{tproxy: true}
	ln := listenTCP(t, g.Server, w.dest(0))
	type end = *net.TCPConn
	var clients, servers []end
	for range most {
		clients = append(clients, dialTCP(t, g.Client, w.dest(0)))
		servers = append(servers, accept(t, ln))
	}
	waiting := dialTCP(t, g.Client, w.dest(0))
	mustWrite(t, waiting, payload(10))
	always(t, 300*time.Millisecond, "the bound holds", func() bool { return g.counters(t).number("conns_now") == most })
	for i := range clients {
		mustWrite(t, clients[i], payload(100))
		wantBytes(t, servers[i], payload(100))
	}
	clients[0].Close()
	wantEnd(t, servers[0], nil)
	servers[0].Close()
	wantBytes(t, accept(t, ln), payload(10))
	for _, c := range append(clients, waiting) {
		c.Close()
	}
	for _, c := range servers {
		c.Close()
	}
}
