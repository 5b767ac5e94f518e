//go:build linux

package e2e

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// inside makes something inside a namespace; the test ends when that fails.
func inside[T any](tb testing.TB, ns *lab.Namespace, fn func() (T, error)) T {
	tb.Helper()
	var made T
	if err := ns.Do(func() (err error) { made, err = fn(); return err }); err != nil {
		tb.Fatal(err)
	}
	return made
}

// listenTCP opens a listener; it is closed when the test ends. A port may be in
// use for some ms after its last listener was closed: a program that a parallel
// test starts has all fds between fork and exec.
func listenTCP(tb testing.TB, ns *lab.Namespace, at netip.AddrPort) *net.TCPListener {
	tb.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	var ln net.Listener
	until(tb, "listen on "+at.String(), func() bool {
		err := ns.Do(func() (err error) {
			ln, err = lc.Listen(context.Background(), "tcp", at.String())
			return err
		})
		if err != nil && !errors.Is(err, unix.EADDRINUSE) {
			tb.Fatal(err)
		}
		return err == nil
	})
	tb.Cleanup(func() { ln.Close() })
	return ln.(*net.TCPListener)
}

// connect dials from inside a namespace. from may be zero, also its port alone.
func connect(from, to netip.AddrPort) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: patience}
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(from)
	}
	conn, err := d.Dial("tcp", to.String())
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn), nil
}

// dialTCP connects; the connection is closed when the test ends.
func dialTCP(tb testing.TB, ns *lab.Namespace, to netip.AddrPort) *net.TCPConn {
	tb.Helper()
	conn := inside(tb, ns, func() (*net.TCPConn, error) { return connect(netip.AddrPort{}, to) })
	tb.Cleanup(func() { conn.Close() })
	return conn
}

// serveTCP serves every connection on a goroutine, until the test ends, and
// closes it afterwards.
func serveTCP(tb testing.TB, ns *lab.Namespace, at netip.AddrPort, serve func(*net.TCPConn)) {
	tb.Helper()
	ln := listenTCP(tb, ns, at)
	go func() {
		for {
			conn, err := ln.AcceptTCP()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
}

// accept takes one connection; it is closed when the test ends.
func accept(tb testing.TB, ln *net.TCPListener) *net.TCPConn {
	tb.Helper()
	_ = ln.SetDeadline(time.Now().Add(patience))
	conn, err := ln.AcceptTCP()
	if err != nil {
		tb.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	tb.Cleanup(func() { conn.Close() })
	return conn
}

// pair connects the client to the server this way, and makes sure that sluice is
// in between.
func (g *gateway) pair(tb testing.TB, w way) (client, server *net.TCPConn) {
	tb.Helper()
	ln := listenTCP(tb, g.Server, w.dest(0))
	defer ln.Close()
	client = dialTCP(tb, g.Client, w.dest(0))
	server = accept(tb, ln)
	if peer := server.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); peer != w.seen() {
		tb.Fatalf("the server's peer is %v, want the gateway %v", peer, w.seen())
	}
	return client, server
}

// listenUDP opens a socket with room for bursts; it is closed when the test ends.
func listenUDP(tb testing.TB, ns *lab.Namespace, at netip.AddrPort) *net.UDPConn {
	tb.Helper()
	conn := inside(tb, ns, func() (*net.UDPConn, error) {
		return net.ListenUDP(udpNetwork(at.Addr()), net.UDPAddrFromAddrPort(at))
	})
	tb.Cleanup(func() { conn.Close() })
	const room = 4 << 20 // bytes; beyond net.core.rmem_max only as root of the machine (socket(7))
	control(tb, conn, func(fd int) error {
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room) == nil {
			return nil
		}
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, room)
	})
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func udpNetwork(a netip.Addr) string {
	if a.Is4() {
		return "udp4"
	}
	return "udp6"
}

// control runs fn on a connection's fd; the test ends when it fails.
func control(tb testing.TB, c syscall.Conn, fn func(fd int) error) {
	tb.Helper()
	raw, err := c.SyscallConn()
	if err == nil {
		var inner error
		if err = raw.Control(func(fd uintptr) { inner = fn(int(fd)) }); err == nil {
			err = inner
		}
	}
	if err != nil {
		tb.Fatal(err)
	}
}
