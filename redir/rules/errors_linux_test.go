package rules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var farAddrs = []string{"10.9.3.2", "fd09:3::2"}

// farClient is a client behind a router (the world's client) through which a
// smaller MTU leads to it, as the client does not know.
func (w *world) farClient() *netns {
	far := newNetns(w.t)
	join(w.client, far, "below", "eth0")
	w.client.sh(`sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
		ip addr add 10.9.3.1/24 dev below; ip addr add fd09:3::1/64 dev below nodad; ip link set below up
		ip route add 10.9.3.2/32 dev below mtu lock 1400; ip route add fd09:3::2/128 dev below mtu lock 1400`)
	far.sh(`ip addr add 10.9.3.2/24 dev eth0; ip addr add fd09:3::2/64 dev eth0 nodad; ip link set eth0 up
		ip route add default via 10.9.3.1; ip route add default via fd09:3::1`)
	w.gateway.sh("ip route add 10.9.3.0/24 via 10.9.1.2; ip route add fd09:3::/64 via fd09:1::2")
	return far
}

const loadBytes = 300_000

// download sends loadBytes to whoever connects.
func (w *world) download(n *netns, host string, port, options int) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return control(c, options) }}
	n.do(func() {
		l, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(host, fmt.Sprint(port)))
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { l.Close() })
		go func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				go func() {
					defer conn.Close()
					_, _ = conn.Write(make([]byte, loadBytes))
				}()
			}
		}()
	})
}

func (w *world) expectDownload(from *netns, addr string, port int) {
	w.t.Helper()
	from.do(func() {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(addr, fmt.Sprint(port)), patience)
		if err != nil {
			w.t.Errorf("%s port %d: %v", addr, port, err)
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		if n, err := io.Copy(io.Discard, conn); n != loadBytes {
			w.t.Errorf("%s port %d: %d bytes, %v", addr, port, n, err)
		}
	})
}

// TestPathMTU: "fragmentation needed" and "packet too big" that name a server
// reach the proxy's socket, however the rules got there.
func TestPathMTU(t *testing.T) {
	for name, install := range ways(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			far := w.farClient()
			w.download(w.gateway, "", proxyPort, transparent)
			install(w)
			for _, addr := range serverAddrs {
				w.expectDownload(far, addr, servicePort)
			}
		})
	}
}

// TestForwardedErrors: a flow that is left alone keeps its ICMP errors, on the
// proxy's own port number too.
func TestForwardedErrors(t *testing.T) {
	w := newWorld(t)
	far := w.farClient()
	w.download(w.gateway, "", proxyPort, transparent)
	for _, addr := range otherAddrs {
		w.download(w.server, addr, proxyPort, 0)
	}
	w.install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Exclude: prefixes("10.9.2.3/32", "fd09:2::3/128")})
	for _, addr := range otherAddrs {
		w.expectDownload(far, addr, proxyPort)
	}
}

// TestErrorsOfEveryKind: each error about a connected foreign UDP socket's
// datagram reaches that socket, whichever interface it comes in at.
func TestErrorsOfEveryKind(t *testing.T) {
	w := newWorld(t)
	w.install(Spec{TCPPort: proxyPort, UDPPort: proxyPort, Ifaces: []string{"lan"}})
	w.client.sh("ip route add unreachable 10.9.3.0/24; ip route add unreachable fd09:3::/64; sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
	w.gateway.sh("ip route add 10.9.3.0/24 via 10.9.1.2; ip route add fd09:3::/64 via fd09:1::2")
	for i, addr := range farAddrs {
		for _, to := range []struct {
			addr string
			want []syscall.Errno // of each family
		}{
			{[]string{"10.9.1.2", "fd09:1::2"}[i], []syscall.Errno{unix.ECONNREFUSED, unix.ECONNREFUSED}}, // no listener
			{addr, []syscall.Errno{unix.EHOSTUNREACH, unix.ENETUNREACH}},
		} {
			w.gateway.do(func() {
				from := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(serverAddrs[i]), 7777))
				dialer := net.Dialer{LocalAddr: from, Control: func(_, _ string, c syscall.RawConn) error {
					_ = c.Control(func(fd uintptr) { // soft errors too
						_ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_RECVERR, 1)
						_ = unix.SetsockoptInt(int(fd), unix.SOL_IPV6, unix.IPV6_RECVERR, 1)
					})
					return control(c, transparent)
				}}
				conn, err := dialer.Dial("udp", net.JoinHostPort(to.addr, "9"))
				if err != nil {
					t.Errorf("%s: %v", to.addr, err)
					return
				}
				defer conn.Close()
				if _, err = exchange(conn, patience); !errors.Is(err, to.want[i]) {
					t.Errorf("from %s to %s: %v, want %v", from, to.addr, err, to.want[i])
				}
			})
		}
	}
}
