//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/lab"
)

// TestSourcePortIsTaken has another socket of the gateway hold just the four-tuple
// that a client's connection would have upstream: the server sees the client's
// address, and another port.
func TestSourcePortIsTaken(t *testing.T) {
	t.Parallel()
	overSources(t, []source{clientSource, addressSource}, func(t *testing.T, s source) {
		const port, takenPort = 41234, 41235
		g := startSource(t, s)
		filter(t, g.Server, fmt.Sprintf("tcp sport %d drop", takenPort))
		forgetEnds(t, g.Client)
		overWays(t, udpWays(), func(t *testing.T, w way) {
			from := netip.AddrPortFrom(w.client(), port)
			startWitness(t, g.Server, w.dest(0))
			g.assertKeepsPort(t, s, w, from, w.dest(0))
			taken := netip.AddrPortFrom(w.client(), takenPort)
			holdTuple(t, g.Gateway, taken, w.dest(0))
			for range 3 {
				conn := connectAgain(t, g.Client, taken, w.dest(0))
				seen, err := whom(conn)
				if err != nil {
					t.Fatal(err)
				}
				if seen.Addr() != w.client() || s == clientSource && seen.Port() == taken.Port() {
					t.Errorf("the server sees %v of %v", seen, taken)
				}
				if err := echoed(conn); err != nil {
					t.Error(err)
				}
				_ = conn.SetLinger(0)
				conn.Close()
			}
			g.assertKeepsPort(t, s, w, from, w.dest(0))
		})
	})
}

// assertKeepsPort connects from a port, which the server sees where it ought to, and
// leaves nothing of it behind.
func (g *gateway) assertKeepsPort(t *testing.T, s source, w way, from, to netip.AddrPort) {
	t.Helper()
	conn, seen, err := callTCP(g.Client, from, to)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.checkTCP(w, from, seen); err != nil {
		t.Error(err)
	}
	_ = conn.SetLinger(0)
	conn.Close()
}

// holdTuple binds and connects a socket as a client of the server; its SYN is
// dropped on the server's side, and not sent again for as long as the test takes.
func holdTuple(t *testing.T, ns *lab.Namespace, from, to netip.AddrPort) {
	t.Helper()
	family, own, peer, level, option := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(from.Port())}),
		unix.Sockaddr(&unix.SockaddrInet4{Port: int(to.Port())}), unix.SOL_IP, unix.IP_TRANSPARENT
	if from.Addr().Is6() {
		family, level, option = unix.AF_INET6, unix.SOL_IPV6, unix.IPV6_TRANSPARENT
		own = &unix.SockaddrInet6{Port: int(from.Port()), Addr: from.Addr().As16()}
		peer = &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	} else {
		own.(*unix.SockaddrInet4).Addr, peer.(*unix.SockaddrInet4).Addr = from.Addr().As4(), to.Addr().As4()
	}
	fd := inside(t, ns, func() (int, error) {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return 0, os.NewSyscallError("socket", err)
		}
		err = errors.Join(
			unix.SetsockoptInt(fd, level, option, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, lab.ProxyMark),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
			unix.Bind(fd, own))
		if e := unix.Connect(fd, peer); e != nil && e != unix.EINPROGRESS {
			err = errors.Join(err, e)
		}
		return fd, err
	})
	t.Cleanup(func() { unix.Close(fd) })
}

// forgetEnds has a namespace keep no connection in TIME_WAIT, which would keep its
// clients from using their ports again.
func forgetEnds(t *testing.T, ns *lab.Namespace) {
	t.Helper()
	if err := ns.Sysctl("net/ipv4/tcp_max_tw_buckets", "0"); err != nil {
		t.Fatal(err)
	}
}

// closings are how the two ends of a connection may close it.
func closings() map[string]func(client, server *net.TCPConn) error {
	return map[string]func(client, server *net.TCPConn) error{
		"server first": func(client, server *net.TCPConn) error { return closeInTurn(server, client) },
		"client first": func(client, server *net.TCPConn) error { return closeInTurn(client, server) },
		"reset": func(client, server *net.TCPConn) error {
			err := errors.Join(client.SetLinger(0), client.Close())
			if _, e := server.Read(make([]byte, 1)); !errors.Is(e, unix.ECONNRESET) {
				err = errors.Join(err, fmt.Errorf("the server read %w, want a reset", e))
			}
			return errors.Join(err, server.Close())
		},
	}
}

// closeInTurn has one end close, and the other once it knows.
func closeInTurn(first, second *net.TCPConn) error {
	err := first.CloseWrite()
	_, end := second.Read(make([]byte, 1))
	err = errors.Join(err, unlessEOF(end), second.Close())
	_, end = first.Read(make([]byte, 1))
	return errors.Join(err, unlessEOF(end), first.Close())
}

func unlessEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("read %w, want an end", err)
}

const (
	reuses = 60
	// reuseTime is what so many may take; alone they take a tenth.
	reuseTime = 3 * time.Second
)

// TestSourcePortAgain has a client use one port 60 times within a second, whichever
// end closes first, and whether or not the server has timestamps, without which no
// kernel uses a tuple in TIME_WAIT again: each connection is carried at its first
// SYN, and the server sees the client, with its own port as long as it can.
func TestSourcePortAgain(t *testing.T) {
	t.Parallel()
	for _, timestamps := range []string{"1", "0"} {
		t.Run("timestamps "+timestamps, func(t *testing.T) {
			t.Parallel()
			g := startSource(t, clientSource)
			forgetEnds(t, g.Client)
			if err := g.Server.Sysctl("net/ipv4/tcp_timestamps", timestamps); err != nil {
				t.Fatal(err)
			}
			port := uint16(42000)
			for name, end := range closings() {
				port++
				t.Run(name, func(t *testing.T) {
					overWays(t, udpWays(), func(t *testing.T, w way) {
						own := timestamps == "1" || name != "client first"
						g.usePortAgain(t, w, netip.AddrPortFrom(w.client(), port), own, end)
					})
				})
			}
		})
	}
}

// usePortAgain connects from one port over and over. own tells that the server must
// see that port each time.
func (g *gateway) usePortAgain(t *testing.T, w way, from netip.AddrPort, own bool, end func(client, server *net.TCPConn) error) {
	ln := listenTCP(t, g.Server, w.dest(0))
	begin := time.Now()
	others := 0
	for i := range reuses {
		client := connectAgain(t, g.Client, from, w.dest(0))
		server := accept(t, ln)
		_, seen := ends(server)
		if seen = plain(seen); seen.Addr() != from.Addr() {
			t.Fatalf("connection %d: the server sees %v of %v", i, seen, from)
		}
		if seen.Port() != from.Port() {
			others++
		}
		if n := retransmits(t, client); n > 0 {
			t.Errorf("connection %d: the client sent %d packets again", i, n)
		}
		if err := exchangeEnds(client, server); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		if err := end(client, server); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	if took := time.Since(begin); took > reuseTime {
		t.Errorf("%d connections took %v", reuses, took)
	}
	if own && others > 0 {
		t.Errorf("the server saw another port %d times of %d", others, reuses)
	}
}

// connectAgain connects from a port as soon as it is free: a program that a parallel
// test starts has all fds between fork and exec.
func connectAgain(t *testing.T, ns *lab.Namespace, from, to netip.AddrPort) (conn *net.TCPConn) {
	t.Helper()
	until(t, fmt.Sprintf("%v is free", from), func() bool {
		err := ns.Do(func() (err error) { conn, err = connect(from, to); return err })
		if err != nil && !errors.Is(err, unix.EADDRINUSE) {
			t.Fatal(err)
		}
		return err == nil
	})
	t.Cleanup(func() { conn.Close() })
	return conn
}

// exchangeEnds sends a word each way.
func exchangeEnds(client, server *net.TCPConn) error {
	word := make([]byte, 4)
	for _, c := range [][2]*net.TCPConn{{client, server}, {server, client}} {
		if _, err := c[0].Write([]byte("word")); err != nil {
			return err
		}
		if _, err := c[1].Read(word); err != nil || string(word) != "word" {
			return fmt.Errorf("%q arrived: %w", word, err)
		}
	}
	return nil
}

// retransmits is how many packets a connection has sent again.
func retransmits(t *testing.T, c *net.TCPConn) (n uint32) {
	t.Helper()
	control(t, c, func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.SOL_TCP, unix.TCP_INFO)
		if err == nil {
			n = info.Total_retrans
		}
		return err
	})
	return n
}
