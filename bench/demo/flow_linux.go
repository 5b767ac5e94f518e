package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"sluice/bench/lab"
)

// tcpBytes is sent each way by a TCP flow: enough for a proxy to start splicing.
const tcpBytes = 4 << 20

// payload is n bytes that compress and repeat nowhere.
func payload(n int, seed uint64) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// sendTCP sends a payload to an echo server, closes its half, and reads until the
// server has closed too.
func sendTCP(ctx context.Context, l *lab.Lab, dest netip.AddrPort) Row {
	row := Row{Asked: dest}
	var ln net.Listener
	if row.Err = l.Server.Do(func() (err error) {
		ln, err = net.Listen("tcp", dest.String())
		return err
	}); row.Err != nil {
		return row
	}
	defer ln.Close()
	peers := make(chan netip.AddrPort, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		peers <- addrPort(conn.RemoteAddr())
		_, _ = io.Copy(conn, conn)
	}()

	var conn net.Conn
	if row.Err = l.Client.Do(func() (err error) {
		var d net.Dialer
		conn, err = d.DialContext(ctx, "tcp", dest.String())
		return err
	}); row.Err != nil {
		return row
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	want := payload(tcpBytes, uint64(dest.Port()))
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(want)
		sent <- errors.Join(err, conn.(*net.TCPConn).CloseWrite())
	}()
	got, err := io.ReadAll(conn)
	row.Err = errors.Join(err, <-sent)
	row.Bytes, row.Bore = len(got), addrPort(conn.RemoteAddr())
	if row.Err == nil && !bytes.Equal(got, want) {
		row.Err = fmt.Errorf("%d bytes came back of %d, or other ones", len(got), len(want))
	}
	select {
	case row.Peer = <-peers:
	default:
	}
	return row
}

// sendUDP sends datagrams of several sizes to an echo server, one at a time.
func sendUDP(ctx context.Context, l *lab.Lab, dest netip.AddrPort) Row {
	row := Row{Asked: dest}
	var server, client *net.UDPConn
	if row.Err = errors.Join(
		l.Server.Do(func() (err error) {
			server, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(dest))
			return err
		}),
		l.Client.Do(func() (err error) {
			client, err = net.ListenUDP("udp", nil)
			return err
		})); row.Err != nil {
		return row
	}
	defer server.Close()
	defer client.Close()
	defer context.AfterFunc(ctx, func() { _ = client.SetDeadline(time.Now()) })()
	peers := make(chan netip.AddrPort, 1)
	go echo(server, peers)

	in := make([]byte, 1<<16)
	for i, size := range []int{0, 1, 512, 1200, 1472, 1473, 9000, 65507} {
		want := payload(size, uint64(i))
		if _, row.Err = client.WriteToUDPAddrPort(want, dest); row.Err != nil {
			return row
		}
		n, from, err := client.ReadFromUDPAddrPort(in)
		if err != nil {
			row.Err = fmt.Errorf("datagram of %d bytes: %w", size, err)
			return row
		}
		row.Bore = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		row.Bytes += n
		if !bytes.Equal(in[:n], want) {
			row.Err = fmt.Errorf("datagram of %d bytes came back with %d, or other ones", size, n)
			return row
		}
		if row.Bore != dest {
			return row
		}
	}
	row.Peer = <-peers
	return row
}

// echo returns every datagram until the socket is closed, and tells the first peer.
func echo(conn *net.UDPConn, peers chan<- netip.AddrPort) {
	b := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		select {
		case peers <- netip.AddrPortFrom(from.Addr().Unmap(), from.Port()):
		default:
		}
		_, _ = conn.WriteToUDPAddrPort(b[:n], from)
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	p := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
