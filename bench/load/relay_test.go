//go:build linux

package load

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"sluice/bench/serve"
)

// server starts a server on loopback, without a proxy.
func server(t *testing.T) netip.AddrPort {
	t.Helper()
	s, err := serve.Listen(serve.Options{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Addrs[0]
}

// datagram is one reply on its way back through the relay.
type datagram struct {
	data   []byte
	client netip.AddrPort
}

// udpRelay is a faulty proxy on loopback: every client has an upstream socket, and
// harm decides what becomes of each reply.
type udpRelay struct {
	front *net.UDPConn
	other *net.UDPConn // another source
	mu    sync.Mutex   // serializes harm
	harm  func(r *udpRelay, n int, d datagram)
	n     int
	held  []datagram
}

// relayUDP starts a relay before a server and returns where clients send to.
func relayUDP(t *testing.T, server netip.AddrPort, harm func(*udpRelay, int, datagram)) netip.AddrPort {
	t.Helper()
	r := &udpRelay{front: listenUDP(t), other: listenUDP(t), harm: harm}
	var running sync.WaitGroup
	upstreams := map[netip.AddrPort]*net.UDPConn{}
	running.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, client, err := r.front.ReadFromUDPAddrPort(buf)
			if err != nil {
				break
			}
			up := upstreams[client]
			if up == nil {
				if up, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(server)); err != nil {
					break
				}
				upstreams[client] = up
				running.Go(func() { r.replies(up, client) })
			}
			_, _ = up.Write(buf[:n])
		}
		for _, up := range upstreams {
			up.Close()
		}
	})
	t.Cleanup(func() { r.front.Close(); r.other.Close(); running.Wait() })
	return r.front.LocalAddr().(*net.UDPAddr).AddrPort()
}

func (r *udpRelay) replies(up *net.UDPConn, client netip.AddrPort) {
	buf := make([]byte, 1<<16)
	for {
		n, err := up.Read(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.n++
		r.harm(r, r.n, datagram{append([]byte(nil), buf[:n]...), client})
		r.mu.Unlock()
	}
}

func (r *udpRelay) pass(d datagram) { _, _ = r.front.WriteToUDPAddrPort(d.data, d.client) }

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadBuffer(4 << 20)
	return c
}

// relayTCP starts a faulty proxy on loopback: back copies the server's bytes to the
// client and there does its harm. Connections are numbered from 0.
func relayTCP(t *testing.T, server netip.AddrPort, back func(n int, client, server *net.TCPConn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for n := 0; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s, err := net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(server))
			if err != nil {
				c.Close()
				continue
			}
			running.Go(func() {
				_, _ = io.Copy(s, c)
				_ = s.CloseWrite()
			})
			running.Go(func() {
				back(n, c.(*net.TCPConn), s)
				c.Close()
				s.Close()
			})
		}
	})
	t.Cleanup(func() { ln.Close(); running.Wait() })
	return ln.Addr().(*net.TCPAddr).AddrPort()
}
