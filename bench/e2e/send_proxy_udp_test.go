//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/pires/go-proxyproto"
	"golang.org/x/sys/unix"
)

// wantTold takes a datagram at the server, which must begin with a header that
// tells of source and dest; it returns what follows, and who sent it.
func wantTold(t *testing.T, server *net.UDPConn, source, dest netip.AddrPort) (payload []byte, from netip.AddrPort) {
	t.Helper()
	got, err := next(server, patience)
	if err != nil {
		t.Fatal(err)
	}
	rest := bytes.NewReader(got.data)
	in := bufio.NewReaderSize(rest, 1<<16)
	h, err := proxyproto.Read(in)
	if err != nil {
		t.Fatalf("header of %d bytes: %v", len(got.data), err)
	}
	told, to, ok := h.UDPAddrs()
	if !ok || told.AddrPort() != source || to.AddrPort() != dest {
		t.Fatalf("told %v %v to %v, want %v to %v", h.TransportProtocol, h.SourceAddr, h.DestinationAddr, source, dest)
	}
	return got.data[len(got.data)-rest.Len()-in.Buffered():], got.from
}

// TestSendProxyUDP asserts that each datagram is told whose it is, whoever it
// seems to come from, and that replies come back as they are.
func TestSendProxyUDP(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]setup{
		"gateway": {flags: []string{"--send-proxy=v2+udp"}},
		"client":  sourced(divertSourced, "--send-proxy=v2+udp"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startUDPGateway(t, s)
			overWays(t, udpWays(), func(t *testing.T, w way) {
				server := listenUDP(t, g.Server, w.dest(0))
				taken := uint16(5353)
				listenUDP(t, g.Gateway, netip.AddrPortFrom(w.pick("0.0.0.0", "::"), taken)) // what has its port leaves as raw packets
				for _, port := range []uint16{4000, taken} {
					source := netip.AddrPortFrom(w.anyClient(1), port)
					client := g.udpClientAt(t, source)
					for _, n := range []int{0, 1, 1200, 1472, 1473, 9000} {
						if _, err := client.WriteToUDPAddrPort(payload(n), w.dest(0)); err != nil {
							t.Fatal(err)
						}
						got, from := wantTold(t, server, source, w.dest(0))
						if !bytes.Equal(got, payload(n)) {
							t.Fatalf("%d bytes arrived as %d", n, len(got))
						}
						if isClient := from == source; isClient != (name == "client") {
							t.Errorf("it came from %v", from)
						}
						if _, err := server.WriteToUDPAddrPort(got, from); err != nil {
							t.Fatal(err)
						}
						back, err := next(client, patience)
						if err != nil || back.from != w.dest(0) || !bytes.Equal(back.data, payload(n)) {
							t.Fatalf("%d bytes came back from %v (%v), want %d", len(back.data), back.from, err, n)
						}
					}
				}
				source := netip.AddrPortFrom(w.anyClient(2), 4000)
				client := g.udpClientAt(t, source)
				control(t, client, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_UDP, unix.UDP_SEGMENT, 100) })
				const runs, run = 20, 40 // datagrams that come as one, more than a batch holds
				for range runs {
					if _, err := client.WriteToUDPAddrPort(payload(100*run), w.dest(0)); err != nil {
						t.Fatal(err)
					}
				}
				for i := range runs * run {
					want := payload(100 * run)[i%run*100:][:100]
					if got, _ := wantTold(t, server, source, w.dest(0)); !bytes.Equal(got, want) {
						t.Fatalf("datagram %d is another", i)
					}
				}
			})
			if n := g.counters(t).number("outlet_fallback"); (n > 0) != (name == "client") {
				t.Errorf("%d datagrams left as raw packets", n)
			}
		})
	}
}

// TestSendProxyUDPErrors asserts that an error about what was told quotes what the
// client sent.
func TestSendProxyUDPErrors(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{flags: []string{"--send-proxy=v2+udp"}})
	overWays(t, udpWays(), func(t *testing.T, w way) {
		client := connectedUDP(t, g.Client, w.dest(7))
		if _, err := client.Write([]byte("what the client sent")); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNREFUSED) {
			t.Fatalf("the client got %v", err)
		}
		control(t, client, func(fd int) error {
			quote := make([]byte, 100)
			n, _, _, _, err := unix.Recvmsg(fd, quote, make([]byte, 200), unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err == nil && string(quote[:n]) != "what the client sent" {
				err = fmt.Errorf("quoted %q", quote[:n])
			}
			return err
		})
	})
}
