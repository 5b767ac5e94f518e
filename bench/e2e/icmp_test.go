//go:build linux

package e2e

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// connectedUDP is a client's socket that is connected, so that the kernel tells
// it of errors; those that a datagram may survive too, as dig and QUIC ask for.
func connectedUDP(t *testing.T, ns *lab.Namespace, dest netip.AddrPort) *net.UDPConn {
	t.Helper()
	conn := inside(t, ns, func() (*net.UDPConn, error) {
		return net.DialUDP(udpNetwork(dest.Addr()), nil, net.UDPAddrFromAddrPort(dest))
	})
	t.Cleanup(func() { conn.Close() })
	control(t, conn, func(fd int) error {
		if dest.Addr().Is4() {
			return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_RECVERR, 1)
		}
		return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
	})
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

// TestICMPReachesTheClient asserts that a client's socket sees what it would see
// without a proxy when its datagram cannot be delivered.
func TestICMPReachesTheClient(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{})
	filter(t, g.Server, "ip daddr 198.19.1.0/24 reject with icmp host-unreachable",
		"ip6 daddr 2001:2:0:2::/64 reject with icmpv6 addr-unreachable")
	run(t, g.Gateway, "ip", "route", "add", "unreachable", "198.19.0.0/24")
	run(t, g.Gateway, "ip", "route", "add", "unreachable", "2001:2:0:1::/64")
	overWays(t, udpWays(), func(t *testing.T, w way) {
		for _, c := range []struct {
			name string
			dest netip.Addr
			want []error
		}{
			{"refused", w.server(), []error{unix.ECONNREFUSED}},
			{"unreachable by icmp", w.pick("198.19.1.1", "2001:2:0:2::1"), []error{unix.EHOSTUNREACH}},
			{"no route", w.pick("198.19.0.1", "2001:2:0:1::1"), []error{unix.EHOSTUNREACH, unix.ENETUNREACH}},
		} {
			t.Run(c.name, func(t *testing.T) {
				client := connectedUDP(t, g.Client, netip.AddrPortFrom(c.dest, w.port(7)))
				if _, err := client.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				_, err := client.Read(make([]byte, 1))
				for _, want := range c.want {
					if errors.Is(err, want) {
						return
					}
				}
				t.Errorf("the client got %v, want %v", err, c.want)
			})
		}
	})
	if n := g.counters(t).number("icmp_to_client"); n < 6 {
		t.Errorf("icmp_to_client is %d", n)
	}
}

// TestICMPErrorsCostNoDatagram asserts that a client that writes to one remote
// that refuses and to one that answers loses nothing of the second.
func TestICMPErrorsCostNoDatagram(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		e := startEcho(t, g.Server, w.dest(1))
		client := g.udpClient(t, w)
		for i := range 50 {
			if _, err := client.WriteToUDPAddrPort([]byte("refused"), w.dest(9)); err != nil {
				t.Fatal(err)
			}
			ask(t, client, e.at, []byte{byte(i)})
		}
	})
	if n := g.counters(t).number("dropped_send"); n != 0 {
		t.Errorf("dropped_send is %d", n)
	}
}

// TestICMPOff asserts that --icmp off keeps errors from the client.
func TestICMPOff(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{flags: []string{"--icmp=off"}})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		client := connectedUDP(t, g.Client, w.dest(3))
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_ = client.SetDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err := client.Read(make([]byte, 1)); errors.Is(err, unix.ECONNREFUSED) {
			t.Error("the client was told")
		}
	})
}
