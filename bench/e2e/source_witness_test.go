//go:build linux

package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"sluice/bench/lab"
)

// startWitness runs a server that tells each connection and each datagram whom it
// sees. A connection then gets back what it sends.
func startWitness(t *testing.T, ns *lab.Namespace, at netip.AddrPort) {
	t.Helper()
	serveTCP(t, ns, at, func(c *net.TCPConn) {
		_, client := ends(c)
		if _, err := fmt.Fprintln(c, plain(client)); err == nil {
			_, _ = io.Copy(c, c)
		}
	})
	socket := listenUDP(t, ns, at)
	_ = socket.SetDeadline(time.Time{})
	go func() {
		for {
			_, client, err := socket.ReadFromUDPAddrPort(make([]byte, 1))
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				_, _ = socket.WriteToUDPAddrPort([]byte(plain(client).String()), client)
			}
		}
	}()
}

// callTCP connects to a witness, and returns the connection and whom it sees. Any
// client is meant where from is zero, any port where its port is.
func callTCP(ns *lab.Namespace, from, to netip.AddrPort) (conn *net.TCPConn, seen netip.AddrPort, err error) {
	err = ns.Do(func() error {
		conn, err = connect(from, to)
		return err
	})
	if err != nil {
		return nil, seen, err
	}
	if seen, err = whom(conn); err != nil {
		conn.Close()
	}
	return conn, seen, err
}

// whom reads whom a witness sees.
func whom(conn *net.TCPConn) (seen netip.AddrPort, err error) {
	line, err := bufio.NewReaderSize(conn, 64).ReadString('\n')
	if err == nil {
		seen, err = netip.ParseAddrPort(line[:len(line)-1])
	}
	return seen, err
}

// askUDP asks a witness whom it sees.
func askUDP(socket *net.UDPConn, to netip.AddrPort, wait time.Duration) (seen netip.AddrPort, err error) {
	if _, err = socket.WriteToUDPAddrPort([]byte("?"), to); err != nil {
		return seen, err
	}
	answer, err := next(socket, wait)
	if err != nil {
		return seen, err
	}
	if plain(answer.from) != to {
		return seen, fmt.Errorf("asked %v, %v answered", to, answer.from)
	}
	return netip.ParseAddrPort(string(answer.data))
}

// throughput is how much a stream of a test carries each way: more than what
// stalls where conntrack takes both legs for one connection, in bytes.
const throughput = 4 << 20

// echoed sends a stream to a witness and asserts that it comes back.
func echoed(c *net.TCPConn) error {
	want := payload(throughput)
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(want)
		sent <- errors.Join(err, c.CloseWrite())
	}()
	got, err := io.ReadAll(c)
	if err = errors.Join(err, <-sent); err != nil {
		return fmt.Errorf("after %d of %d bytes: %w", len(got), len(want), err)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes came back as %d", len(want), len(got))
	}
	return nil
}

// assertCarries asserts that connections and datagrams of a client reach a
// witness, whole, and as whom.
func (g *gateway) assertCarries(t *testing.T, s source, w way, from netip.Addr, to netip.AddrPort) {
	t.Helper()
	conn, seen, err := callTCP(g.Client, netip.AddrPortFrom(from, 0), to)
	if err != nil {
		t.Errorf("tcp to %v: %v", to, err)
	} else {
		defer conn.Close()
		client, _ := ends(conn)
		if err := errors.Join(s.checkTCP(w, client, seen), echoed(conn)); err != nil {
			t.Errorf("tcp to %v: %v", to, err)
		}
	}
	socket := listenUDP(t, g.Client, netip.AddrPortFrom(from, 0))
	for range 3 {
		seen, err := askUDP(socket, to, patience)
		if err == nil {
			err = s.checkUDP(w, udpAddr(socket.LocalAddr()), seen)
		}
		if err != nil {
			t.Errorf("udp to %v: %v", to, err)
			return
		}
	}
}
