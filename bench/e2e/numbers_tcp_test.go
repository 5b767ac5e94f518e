//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"sluice/bench/lab"
)

// States of a connection that carries.
var carrying = []string{"relaying", "bulk"}

// TestNumbersTCP compares what sluice says of each connection with what its ends have
// sent, seen and done, while it runs and after its end, copied and spliced.
func TestNumbersTCP(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"auto", "copy", "splice"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			n := startNumbered(t, setup{flags: []string{"--relay=" + mode, "--idle-timeout=4s", "--half-close-timeout=2s", "--connect-timeout=1m"}})
			for _, w := range ways() {
				filter(t, n.Server, fmt.Sprintf("tcp dport %d drop", w.port(toSilence)))
			}
			idle := n.leaveIdle(t)
			overWays(t, ways(), func(t *testing.T, w way) {
				n.sizes(t, w)
				n.bulk(t, w)
				n.ended(t, w)
				n.notCarried(t, w)
				n.forwarded(t, w)
			})
			idle()
			n.settle(t)
		})
	}
}

// sizes are few bytes and many, to each kind of outbound.
func (n *numbered) sizes(t *testing.T, w way) {
	for _, port := range []int{toDirect, toSocks, toHTTP, toMapped} {
		client, server, a := n.open(t, w, fmt.Sprintf("sizes by %d", port), port)
		n.while(t, &a, carrying...)
		for _, size := range []int{1, 1448, 64<<10 + 1, 0, 300_000} {
			exchanged(t, client, server, &a, size, size/2)
		}
		n.while(t, &a, carrying...)
		mustCloseWrite(t, client)
		wantEnd(t, server, nil)
		n.while(t, &a, "half-closed")
		exchanged(t, client, server, &a, 0, 5000)
		n.while(t, &a, "half-closed")
		server.Close()
		wantEnd(t, client, nil)
		client.Close()
		n.closed(a, "conns_finished")
	}
}

// bulk is much at once, both ways together.
func (n *numbered) bulk(t *testing.T, w way) {
	const up, down = 6<<20 + 1, 9<<20 + 7
	client, server, a := n.open(t, w, "bulk", toDirect)
	for range 2 {
		go func() { _, _ = server.Write(payload(down)) }()
		go func() { _, _ = client.Write(payload(up)) }()
		fromClient := make(chan struct{})
		go func() { defer close(fromClient); wantRead(t, server, up) }()
		wantRead(t, client, down)
		<-fromClient
		a.BytesUp += up
		a.BytesDown += down
		n.while(t, &a, carrying...)
	}
	client.Close()
	wantEnd(t, server, nil)
	server.Close()
	n.closed(a, "conns_finished")
}

// wantRead reads n bytes.
func wantRead(t *testing.T, c *net.TCPConn, n int) {
	t.Helper()
	buf := make([]byte, chunk)
	for n > 0 {
		k, err := c.Read(buf[:min(n, len(buf))])
		if err != nil {
			t.Errorf("%d bytes before their end: %v", n, err)
			return
		}
		n -= k
	}
}

// ended are connections that either end, or the operator, breaks off.
func (n *numbered) ended(t *testing.T, w way) {
	for cause, end := range map[string]func(client, server *net.TCPConn, a *account){
		"conns_reset_by_client": func(client, server *net.TCPConn, _ *account) {
			reset(t, client)
			wantReset(t, server, nil)
		},
		"conns_reset_by_upstream": func(client, server *net.TCPConn, _ *account) {
			reset(t, server)
			wantReset(t, client, nil)
		},
		"conns_ended_by_operator": func(client, server *net.TCPConn, a *account) {
			var said struct{ Ended int }
			if n.must(t, "DELETE", "/v1/flows/"+a.ID, &said); said.Ended != 1 {
				t.Errorf("%s: %d ended", a.name, said.Ended)
			}
			wantReset(t, client, nil)
			wantReset(t, server, nil)
		},
	} {
		for _, size := range []int{10, 200_000} {
			client, server, a := n.open(t, w, cause, toDirect)
			exchanged(t, client, server, &a, size, 2*size)
			n.while(t, &a, carrying...)
			end(client, server, &a)
			client.Close()
			server.Close()
			n.closed(a, cause)
		}
	}
}

// notCarried are connections that come to nothing.
func (n *numbered) notCarried(t *testing.T, w way) {
	client := dialTCP(t, n.Client, w.dest(toSilence))
	a := account{name: "silence " + w.String(), isSecret: true, flowRecord: flowRecord{Network: "tcp", Inbound: w.inbound(), Outbound: "direct", Mark: lab.ProxyMark,
		Client: client.LocalAddr().String(), Destination: w.dest(toSilence).String()}}
	n.while(t, &a, "dialing")
	reset(t, client)
	n.closed(a, "conns_reset_by_client")

	from := netip.AddrPortFrom(w.client(), n.nextPort()) // known before: the flow is over at once
	a.name, a.ID, a.Client, a.Destination = "refused "+w.String(), "", from.String(), w.dest(toNobody).String()
	wantRefused(t, n.gateway, from, w.dest(toNobody))
	until(t, a.name+" is in the access log", func() bool {
		for id, f := range readLog(t, n.logPath) {
			if f.Client == a.Client {
				a.ID = id
			}
		}
		return a.ID != ""
	})
	n.closed(a, "upstream_refused")

	wantRefused(t, n.gateway, netip.AddrPortFrom(w.client(), 0), w.dest(toBlock)) // which never is a flow
	n.blocked.Add(1)
}

// nextPort is a client's port that no other flow of the test has had.
func (n *numbered) nextPort() uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.port++
	return 2000 + n.port
}

// forwarded are connections to a forward's listener.
func (n *numbered) forwarded(t *testing.T, w way) {
	if w.tproxy {
		return // a forward knows no way
	}
	port, tag := uint16(forward4), "forward4"
	if w.v6 {
		port, tag = forward6, "forward6"
	}
	ln := listenTCP(t, n.Server, netip.AddrPortFrom(w.server(), forwardedTo))
	defer ln.Close()
	client := dialTCP(t, n.Client, netip.AddrPortFrom(w.gateway(), port))
	server := accept(t, ln)
	a := account{name: tag, flowRecord: flowRecord{Network: "tcp", Inbound: tag, Outbound: "direct", Mark: lab.ProxyMark,
		Client: client.LocalAddr().String(), Destination: client.RemoteAddr().String(), Dialed: ln.Addr().String(), Source: server.RemoteAddr().String()}}
	exchanged(t, client, server, &a, 100_000, 200_000)
	n.while(t, &a, carrying...)
	server.Close()
	wantEnd(t, client, nil)
	client.Close()
	n.closed(a, "conns_finished")
}

// leaveIdle leaves connections alone until they time out, which the function that it
// returns waits for.
func (n *numbered) leaveIdle(t *testing.T) (wait func()) {
	type idle struct {
		client, server *net.TCPConn
		a              account
		cause          string
	}
	var all []idle
	for _, w := range ways() {
		for _, cause := range []string{"timed_out_idle", "timed_out_half_closed"} {
			client, server, a := n.open(t, w, cause, toDirect)
			exchanged(t, client, server, &a, 1000, 2000)
			if cause == "timed_out_half_closed" {
				mustCloseWrite(t, server)
				wantEnd(t, client, nil)
				n.while(t, &a, "half-closed")
			} else {
				n.while(t, &a, carrying...)
			}
			all = append(all, idle{client, server, a, cause})
		}
	}
	return func() {
		for _, i := range all {
			until(t, i.a.name+" ends", func() bool {
				_, running := n.flow(t, i.a.ID)
				return !running
			})
			_ = i.client.SetDeadline(time.Now().Add(patience))
			i.client.Close()
			i.server.Close()
			n.closed(i.a, i.cause)
		}
	}
}
