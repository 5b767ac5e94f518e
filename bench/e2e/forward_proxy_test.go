//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"sluice/bench/lab"
)

// toldForwardPort is where forwards listen, on the gateway's own addresses.
const toldForwardPort = 8081

// forwarding is a setup with a forward for each family, to the port of the ways
// by TPROXY.
func forwarding(flags ...string) setup {
	return setup{
		divert: divertNothing, flags: flags,
		listen: []string{
			fmt.Sprintf("--forward=%s:%d=%s:%d", lab.GatewayLAN4, toldForwardPort, lab.Server4, tproxyFirst),
			fmt.Sprintf("--forward=[%s]:%d=[%s]:%d", lab.GatewayLAN6, toldForwardPort, lab.Server6, tproxyFirst),
		},
	}
}

// TestSendProxyOfForwards asserts that the header of a forward's connection, and of
// its datagrams, tells of the address that the client wrote to.
func TestSendProxyOfForwards(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1", "v2+udp"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, forwarding("--send-proxy="+version, "--udp-timeout=1s"))
			g.shared = writeBackFDs
			overWays(t, udpWays(), func(t *testing.T, w way) {
				at := netip.AddrPortFrom(w.gateway(), toldForwardPort)
				ln := listenTCP(t, g.Server, w.dest(0))
				near := dialTCP(t, g.Client, at)
				mustWrite(t, near, []byte("to the forward"))
				mustCloseWrite(t, near)
				far := accept(t, ln)
				in := readHeader(t, far)
				if source := near.LocalAddr().(*net.TCPAddr).AddrPort(); in.source != source || in.dest != at {
					t.Errorf("told %v to %v, want %v to %v", in.source, in.dest, source, at)
				}
				wantEnd(t, in.rest, []byte("to the forward"))
				far.Close()
				wantEnd(t, near, nil)
				if version != "v2+udp" {
					return
				}
				server, client := listenUDP(t, g.Server, w.dest(0)), g.udpClient(t, w)
				if _, err := client.WriteToUDPAddrPort([]byte("asked"), at); err != nil {
					t.Fatal(err)
				}
				got, from := wantTold(t, server, client.LocalAddr().(*net.UDPAddr).AddrPort(), at)
				if string(got) != "asked" {
					t.Errorf("%q arrived", got)
				}
				if _, err := server.WriteToUDPAddrPort([]byte("answered"), from); err != nil {
					t.Fatal(err)
				}
				if back, err := next(client, patience); err != nil || back.from != at || string(back.data) != "answered" {
					t.Errorf("%q from %v, %v", back.data, back.from, err)
				}
			})
		})
	}
}

// TestAcceptProxyOfForwards asserts that a front may speak to a forward, and that
// what its header says is told on.
func TestAcceptProxyOfForwards(t *testing.T) {
	t.Parallel()
	g := startGateway(t, forwarding(append([]string{"--send-proxy=v2"}, acceptingFrom...)...))
	overWays(t, udpWays(), func(t *testing.T, w way) {
		ln := listenTCP(t, g.Server, w.dest(0))
		for _, version := range []byte{1, 2} {
			near := dialTCP(t, g.Client, netip.AddrPortFrom(w.gateway(), toldForwardPort))
			mustWrite(t, near, append(w.header(t, version), payload(50_000)...))
			mustCloseWrite(t, near)
			far := accept(t, ln)
			in := readHeader(t, far)
			if in.source != w.behind() || in.dest != w.reached() {
				t.Errorf("told %v to %v, want %v to %v", in.source, in.dest, w.behind(), w.reached())
			}
			wantEnd(t, in.rest, payload(50_000))
			far.Close()
			wantEnd(t, near, nil)
		}
	})
}

// TestSendProxyOfMappedPorts asserts that the header tells of the port that the
// client connected to, where another is dialled.
func TestSendProxyOfMappedPorts(t *testing.T) {
	t.Parallel()
	var maps []string
	for _, w := range []way{{}, {tproxy: true}} {
		maps = append(maps, fmt.Sprintf("--map=%d=%d", w.port(1), w.port(2)))
	}
	g := startGateway(t, setup{flags: append(maps, "--send-proxy=v2+udp", "--udp-timeout=1s")})
	g.shared = writeBackFDs
	overWays(t, ways(), func(t *testing.T, w way) {
		ln := listenTCP(t, g.Server, w.dest(2))
		near := dialTCP(t, g.Client, w.dest(1))
		far := accept(t, ln)
		if in := readHeader(t, far); in.dest != w.dest(1) || in.source != near.LocalAddr().(*net.TCPAddr).AddrPort() {
			t.Errorf("told %v to %v, want the destination %v", in.source, in.dest, w.dest(1))
		}
		near.Close()
		far.Close()
		if !w.tproxy {
			return
		}
		server, client := listenUDP(t, g.Server, w.dest(2)), g.udpClient(t, w)
		if _, err := client.WriteToUDPAddrPort([]byte("asked"), w.dest(1)); err != nil {
			t.Fatal(err)
		}
		if got, _ := wantTold(t, server, client.LocalAddr().(*net.UDPAddr).AddrPort(), w.dest(1)); !bytes.Equal(got, []byte("asked")) {
			t.Errorf("%q arrived", got)
		}
	})
}
