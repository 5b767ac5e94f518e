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

// narrowMTU is that of a link behind the client or the server, in bytes, as of a
// tunnel; fullDatagram fills the 1,500 of the others (UDP over IPv6, less than a
// header's room).
const (
	narrowMTU    = 1400
	fullDatagram = 1440
)

// TestPathMTU has a smaller MTU behind the client's or the server's side, of
// which only ICMP tells: all arrives, TCP and UDP, as without a proxy.
func TestPathMTU(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"client", "server"} {
		t.Run("behind the "+side, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, setup{
				listen: []string{"--tproxy=:12345"}, divert: divertNothing,
				flags: []string{"--install-rules", "--iface=lan", "--udp-timeout=1s"},
			})
			g.shared = writeBackFDs
			via := map[string]*lab.Namespace{"client": g.Client, "server": g.Server}[side]
			far, err := g.Behind(via, narrowMTU)
			if err != nil {
				t.Fatal(err)
			}
			for _, v6 := range []bool{false, true} {
				w := way{tproxy: true, v6: v6}
				client, server, at := g.Client, g.Server, w.dest(0)
				if side == "client" {
					client = far.Namespace
				} else {
					server, at = far.Namespace, netip.AddrPortFrom(w.pick(far.V4.String(), far.V6.String()), w.port(0))
				}
				t.Run(w.String(), func(t *testing.T) {
					echoFullDatagrams(t, client, server, at) // before TCP teaches the kernel
					transferBothWays(t, client, server, at)
				})
			}
		})
	}
}

// transferBothWays sends a megabyte to the server and gets it back.
func transferBothWays(t *testing.T, client, server *lab.Namespace, at netip.AddrPort) {
	t.Helper()
	const size = 1 << 20
	ln := listenTCP(t, server, at)
	defer ln.Close()
	c := dialTCP(t, client, at)
	s := accept(t, ln)
	for _, way := range []struct{ from, to *net.TCPConn }{{c, s}, {s, c}} {
		sent := make(chan error, 1)
		go func() {
			_, err := send(way.from, 1, size, false)
			_ = way.from.CloseWrite()
			sent <- err
		}()
		if sum, n, err := receive(way.to); err != nil || n != size || sum != digestOf(1, size) {
			t.Errorf("%d of %d bytes arrived, %v", n, size, err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	}
	c.Close()
	s.Close()
}

// echoFullDatagrams asks for datagrams that fit every link but the narrow one.
// The first few may be lost, as long as nobody knows of it.
func echoFullDatagrams(t *testing.T, client, server *lab.Namespace, at netip.AddrPort) {
	t.Helper()
	const most, inARow = 30, 5
	startEcho(t, server, at)
	c := inside(t, client, func() (*net.UDPConn, error) { return net.ListenUDP(udpNetwork(at.Addr()), nil) })
	defer c.Close()
	answered := 0
	for range most {
		if _, err := c.WriteToUDPAddrPort(payload(fullDatagram), at); err != nil {
			continue // the client's own kernel has learnt of a smaller MTU
		}
		if got, err := next(c, 300*time.Millisecond); err == nil && got.from == at && len(got.data) == fullDatagram {
			if answered++; answered == inARow {
				return
			}
			continue
		}
		answered = 0
	}
	t.Errorf("of %d datagrams, the last %d were answered, want %d", most, answered, inARow)
}

// TestTooBigReachesTheClient has a client that forbids fragments write datagrams
// that are too big for a link behind the server: its kernel learns of it.
func TestTooBigReachesTheClient(t *testing.T) {
	t.Parallel()
	g := startUDPGateway(t, setup{})
	far, err := g.Behind(g.Server, narrowMTU)
	if err != nil {
		t.Fatal(err)
	}
	overWays(t, udpWays(), func(t *testing.T, w way) {
		at := netip.AddrPortFrom(w.pick(far.V4.String(), far.V6.String()), w.port(0))
		startEcho(t, far.Namespace, at)
		client := connectedUDP(t, g.Client, at)
		control(t, client, func(fd int) error {
			if w.v6 {
				return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO)
			}
			return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)
		})
		until(t, "the client's kernel refuses what is too big", func() bool {
			_, err := client.Write(payload(fullDatagram))
			return errors.Is(err, unix.EMSGSIZE)
		})
		until(t, "what fits is answered", func() bool { // errors that were on their way come first
			_, _ = client.Write(payload(1000))
			got, err := next(client, 300*time.Millisecond)
			return err == nil && len(got.data) == 1000
		})
	})
}
