//go:build linux

package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// TestAdmissionTCP asserts that no connection to the gateway itself is carried,
// also where an address became its own while sluice was running.
func TestAdmissionTCP(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{})
	refuses := func(t *testing.T, dest netip.AddrPort, cause string) {
		t.Helper()
		before := g.counters(t).number(cause)
		wantRefused(t, g, netip.AddrPort{}, dest)
		g.untilCounter(t, cause, before+1)
	}
	overWays(t, ways(), func(t *testing.T, w way) {
		for _, own := range []netip.Addr{w.gateway(), w.seen()} {
			refuses(t, netip.AddrPortFrom(own, w.listener()), "refused_to_listener")
			refuses(t, netip.AddrPortFrom(own, w.port(0)), "refused_to_own_address")
		}
		fresh := w.pick("198.18.99.1", "2001:2::99") // the server's at first
		dest := netip.AddrPortFrom(fresh, w.port(0))
		run(t, g.Gateway, "ip", "address", "add", fresh.String(), "dev", "lo")
		until(t, "the added address is refused", func() bool {
			wantRefused(t, g, netip.AddrPort{}, dest)
			return len(g.log.since(0, func(e entry) bool {
				return e.text("cause") == "refused_to_own_address" && e.text("dest") == dest.String()
			})) > 0
		})
		run(t, g.Gateway, "ip", "address", "del", fresh.String(), "dev", "lo")
	})
	c := g.counters(t)
	if c.number("conns_accepted") != c.number("conns_closed") || c.number("tcp_bytes_to_upstream") != 0 {
		t.Errorf("something was carried: %v", c)
	}
	g.assertIdle(t)
}

// TestAllowLocal asserts that --allow-local opens the gateway's own addresses,
// and still not sluice's own listeners.
func TestAllowLocal(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{flags: []string{"--allow-local", "--udp-timeout=1s"}})
	g.shared = writeBackFDs
	overWays(t, ways(), func(t *testing.T, w way) {
		dest := netip.AddrPortFrom(w.gateway(), w.port(2))
		if !w.tproxy {
			// A connection to the address that REDIRECT rewrites to is
			// indistinguishable from one to the listener's host: only the port differs.
			dest = netip.AddrPortFrom(w.seen(), w.port(2))
		}
		ln := listenTCP(t, g.Gateway, dest)
		client := dialTCP(t, g.Client, dest)
		server := accept(t, ln)
		mustWrite(t, client, payload(100))
		wantBytes(t, server, payload(100))
		client.Close()
		wantEnd(t, server, nil)
		server.Close()

		before := g.counters(t).number("refused_to_listener")
		wantRefused(t, g, netip.AddrPort{}, netip.AddrPortFrom(w.gateway(), w.listener()))
		g.untilCounter(t, "refused_to_listener", before+1)
	})
	g.assertIdle(t)
}

// TestAdmissionUDP sends datagrams to what is no destination. Every UDP port is
// diverted, also those of sluice.
func TestAdmissionUDP(t *testing.T) {
	t.Parallel()
	g := startGateway(t, setup{divert: divertAll, listen: []string{"--tproxy=:12345"}})
	lan := inside(t, g.Client, func() (*net.Interface, error) { return net.InterfaceByName(lab.LAN) })
	for _, c := range []struct{ dest, cause string }{
		{"10.77.1.1:12345", "refused_to_listener"},
		{"10.77.2.1:12345", "refused_to_listener"},
		{"[fd77:1::1]:12345", "refused_to_listener"},
		{"10.77.1.1:9", "refused_to_own_address"},
		{"10.77.2.1:9", "refused_to_own_address"},
		{"[fd77:1::1]:9", "refused_to_own_address"},
		{"[fd77:2::1]:9", "refused_to_own_address"},
		{"255.255.255.255:9", "refused_to_broadcast"},
		{"10.77.1.255:9", "refused_to_broadcast"},
		{"224.0.0.1:9", "refused_to_multicast"},
		{"[ff02::1]:9", "refused_to_multicast"},
	} {
		t.Run(c.dest, func(t *testing.T) {
			dest := netip.MustParseAddrPort(c.dest)
			from := way{v6: dest.Addr().Is6()}.client()
			client := listenUDP(t, g.Client, netip.AddrPortFrom(from, 0))
			control(t, client, func(fd int) error {
				if dest.Addr().Is6() {
					return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_MULTICAST_IF, lan.Index)
				}
				return errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1),
					unix.SetsockoptIPMreqn(fd, unix.SOL_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(lan.Index)}),
					unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, lab.LAN))
			})
			before := g.counters(t).number(c.cause)
			if _, err := client.WriteToUDPAddrPort([]byte("x"), dest); err != nil {
				t.Fatal(err)
			}
			g.untilCounter(t, c.cause, before+1)
		})
	}
	t.Run("port 0", func(t *testing.T) {
		sendRawUDP(t, g, 1000, 0)
		g.untilCounter(t, "refused_port_zero", 1)
	})
	t.Run("source port 0", func(t *testing.T) {
		server := listenUDP(t, g.Server, netip.AddrPortFrom(way{}.server(), 9))
		_ = server.SetDeadline(time.Now().Add(300 * time.Millisecond))
		sendRawUDP(t, g, 0, 9)
		g.untilCounter(t, "refused_port_zero", 2)
		if n, from, err := server.ReadFromUDPAddrPort(make([]byte, 10)); err == nil {
			t.Errorf("%d bytes came from %v", n, from)
		}
	})
	if c := g.counters(t); c.number("udp_sessions_opened") != 0 {
		t.Errorf("sessions were opened: %v", c)
	}
	g.assertIdle(t)
}

// TestRoutesFlap asserts that a burst of route changes, of which netlink drops
// some, leaves no socket behind, and that the own addresses are known after it.
func TestRoutesFlap(t *testing.T) {
	t.Parallel()
	ip := needProgram(t, "ip", "iproute2")
	g := startGateway(t, setup{})
	var batch strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&batch, "route add 172.16.%d.%d/32 via %s table 77\n", i>>8, i&255, lab.Server4)
	}
	batch.WriteString("route flush table 77\naddress add 10.66.0.1/32 dev lan\n")
	cmd := g.Gateway.Command(context.Background(), ip, "-batch", "-")
	cmd.Stdin = strings.NewReader(batch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	dest := netip.AddrPortFrom(netip.MustParseAddr("10.66.0.1"), way{tproxy: true}.port(0))
	until(t, "the new address is refused", func() bool {
		_ = g.Client.Do(func() error {
			c, err := connect(netip.AddrPort{}, dest)
			if err == nil {
				c.Close()
			}
			return nil
		})
		return g.counters(t).number("refused_to_own_address") > 0
	})
}

// TestRemoteWithPortZero asserts that a datagram from a remote's port 0, as which
// nobody can write to the client, does not come from another port instead.
func TestRemoteWithPortZero(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{})
	w := udpWays()[0]
	e := startEcho(t, g.Server, w.dest(0))
	client := listenUDP(t, g.Client, netip.AddrPortFrom(w.client(), 0))
	if _, err := client.WriteToUDPAddrPort([]byte("x"), e.at); err != nil {
		t.Fatal(err)
	}
	if _, err := next(client, patience); err != nil {
		t.Fatal(err)
	}
	sendRawUDPTo(t, g.Server, e.last().Addr(), 0, e.last().Port())
	g.untilCounter(t, "refused_port_zero", 1)
	if got, err := next(client, 300*time.Millisecond); err == nil {
		t.Errorf("%d bytes came from %v", len(got.data), got.from)
	}
}

// sendRawUDP sends one byte from the client to the server by ports that a UDP
// socket would not take.
func sendRawUDP(t *testing.T, g *gateway, from, to uint16) {
	t.Helper()
	sendRawUDPTo(t, g.Client, way{}.server(), from, to)
}

func sendRawUDPTo(t *testing.T, ns *lab.Namespace, dest netip.Addr, from, to uint16) {
	t.Helper()
	datagram := make([]byte, 9) // RFC 768; a checksum of 0 is none
	binary.BigEndian.PutUint16(datagram, from)
	binary.BigEndian.PutUint16(datagram[2:], to)
	binary.BigEndian.PutUint16(datagram[4:], uint16(len(datagram)))
	if err := ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Sendto(fd, datagram, 0, &unix.SockaddrInet4{Addr: dest.As4()})
	}); err != nil {
		t.Fatal(err)
	}
}
