//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// TestNumbersUDP compares what sluice says of each session with what its ends have
// sent, seen and done, while it runs and after its end, with runs of datagrams and
// without.
func TestNumbersUDP(t *testing.T) {
	t.Parallel()
	for _, gro := range []bool{false, true} {
		t.Run(fmt.Sprintf("gro=%v", gro), func(t *testing.T) {
			t.Parallel()
			n := startNumbered(t, setup{lab: lab.Options{GRO: gro}, flags: []string{"--udp-timeout=4s"}})
			overWays(t, udpWays(), func(t *testing.T, w way) {
				n.sessions(t, w)
				n.silent(t, w)
			})
			n.settle(t)
		})
	}
}

// TestNumbersOfClients is the same where servers see the clients themselves, so that
// sessions have no sockets of their own.
func TestNumbersOfClients(t *testing.T) {
	t.Parallel()
	t.Run("udp", func(t *testing.T) {
		t.Parallel()
		n := startNumbered(t, setup{divert: divertSourced, lab: lab.Options{GRO: true}, flags: []string{"--udp-timeout=4s", "--source=client"}})
		overWays(t, udpWays(), func(t *testing.T, w way) {
			for i := range 3 {
				server := listenUDP(t, n.Server, w.dest(mappedShift+1+i))
				client := n.udpClientAt(t, netip.AddrPortFrom(w.anyClient(i), 4000))
				a := n.session(w, "sourced", client, w.dest(mappedShift+1+i))
				a.Source = a.Client
				n.carry(t, &a, client, server, w.dest(mappedShift+1+i))
				n.closed(a, "udp_sessions_idle")
			}
		})
		n.settle(t)
	})
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		n := startNumbered(t, setup{divert: divertForeign, flags: []string{"--source=client"}})
		overWays(t, udpWays(), func(t *testing.T, w way) {
			n.bulk(t, w)
			n.ended(t, w)
		})
		n.settle(t)
		for _, a := range n.books {
			if a.Source != a.Client {
				t.Errorf("%s: the server saw %s", a.name, a.Source)
			}
		}
	})
}

// session begins the account of a session.
func (n *numbered) session(w way, name string, client *net.UDPConn, dest netip.AddrPort) account {
	return account{name: fmt.Sprintf("%s %v", name, w), flowRecord: flowRecord{Network: "udp", Inbound: w.inbound(), Outbound: "direct",
		Mark: lab.ProxyMark, Client: client.LocalAddr().String(), Destination: dest.String()}}
}

// sessions are those of each kind of outbound and inbound, with datagrams of all
// sizes, and in runs.
func (n *numbered) sessions(t *testing.T, w way) {
	for _, port := range []int{toDirect, toSocks, toMapped, toForward} {
		dest, at := w.dest(port), w.dest(port)
		client := n.udpClient(t, w)
		a := n.session(w, fmt.Sprintf("sizes by %d", port), client, dest)
		switch port {
		case toSocks:
			a.Outbound, a.Server, a.Rule, a.Mark, a.isSecret = "p1", "10.77.2.2:30001", new(0), proxyMark, true
		case toMapped:
			at = w.dest(mappedShift)
			a.Dialed = at.String()
		case toForward:
			dest, at = netip.AddrPortFrom(w.gateway(), forward4), netip.AddrPortFrom(w.server(), forwardedTo)
			if a.Inbound = "forward4"; w.v6 {
				a.Inbound, dest = "forward6", netip.AddrPortFrom(w.gateway(), forward6)
			}
			a.Destination, a.Dialed = dest.String(), at.String()
		}
		n.carry(t, &a, client, listenUDP(t, n.Server, at), dest)
		n.closed(a, "udp_sessions_idle")
	}
	// One port of a client is one session, wherever it writes to.
	client := n.udpClient(t, w)
	a := n.session(w, "two destinations", client, w.dest(toSilence))
	for _, port := range []int{toSilence, toNobody} {
		server := listenUDP(t, n.Server, w.dest(port))
		n.carry(t, &a, client, server, w.dest(port))
		server.Close()
	}
	n.closed(a, "udp_sessions_idle")
}

// carry moves datagrams both ways, and enters them.
func (n *numbered) carry(t *testing.T, a *account, client, server *net.UDPConn, dest netip.AddrPort) {
	t.Helper()
	for round, size := range []int{10, 1, 1200, 0, 1472, 9000, 60_000} {
		mapped := datagramsOf(t, client, dest, server, size, size, &a.BytesUp, &a.DatagramsUp)
		if a.Source == "" && !a.isSecret {
			a.Source = mapped.String()
		}
		if round == 0 && a.DatagramsDown == 0 {
			n.while(t, a, "unanswered")
		}
		datagramsOf(t, server, mapped, client, size, size, &a.BytesDown, &a.DatagramsDown)
	}
	n.while(t, a, carrying...)
	for _, size := range []int{100, 1200, 1400} {
		mapped := datagramsOf(t, client, dest, server, size, 30*size+size/2, &a.BytesUp, &a.DatagramsUp)
		datagramsOf(t, server, mapped, client, size, 30*size+size/2, &a.BytesDown, &a.DatagramsDown)
	}
	n.while(t, a, carrying...)
}

// datagramsOf sends a run of datagrams of a size, the last of which may be shorter, in one
// call, enters what arrives, and returns whom it came from.
func datagramsOf(t *testing.T, from *net.UDPConn, dest netip.AddrPort, to *net.UDPConn, size, all int, bytes, datagrams *int64) (seen netip.AddrPort) {
	t.Helper()
	segment := size
	if all == size {
		segment = 0 // one: no run
	}
	control(t, from, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, segment) })
	if _, err := from.WriteToUDPAddrPort(payload(all), dest); err != nil {
		t.Fatal(err)
	}
	for left := all; ; {
		got, err := next(to, patience)
		if err != nil || len(got.data) > size {
			t.Fatalf("%d of %d bytes to %v: %d came, %v", all-left, all, dest, len(got.data), err)
		}
		*bytes += int64(len(got.data))
		*datagrams++
		if left -= len(got.data); left <= 0 {
			return plain(got.from)
		}
	}
}

// silent are sessions that nobody answers, and datagrams that a rule refuses.
func (n *numbered) silent(t *testing.T, w way) {
	client := n.udpClient(t, w)
	server := listenUDP(t, n.Server, w.dest(mappedShift+1))
	a := n.session(w, "silent", client, w.dest(mappedShift+1))
	for i := range 3 {
		a.Source = datagramsOf(t, client, w.dest(mappedShift+1), server, 100+i, 100+i, &a.BytesUp, &a.DatagramsUp).String()
	}
	n.while(t, &a, "unanswered")
	n.must(t, "DELETE", "/v1/flows/"+a.ID, nil)
	n.closed(a, "udp_sessions_ended_by_operator")

	blocked := connectedUDP(t, n.Client, w.dest(toBlock))
	before := n.window.counters(t)["refused_blocked"]
	if _, err := blocked.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	n.blocked.Add(1)
	until(t, "a datagram is refused", func() bool { return n.window.counters(t)["refused_blocked"] > before })
}
