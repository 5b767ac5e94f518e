//go:build linux

package e2e

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	quicProtocol = "sluice-e2e"
	// quicPart is what goes each way on one path, in bytes.
	quicPart = 2 << 20
)

// quicIdle is longer than a lost path takes to be noticed.
const quicIdle = 10 * time.Second

// TestQUIC carries a stream of megabytes each way, datagrams in runs (GSO), on
// which the client changes its port, and then its address and its port.
func TestQUIC(t *testing.T) {
	t.Parallel()
	overSources(t, sources(), func(t *testing.T, s source) {
		g := startSource(t, s)
		overWays(t, udpWays(), func(t *testing.T, w way) {
			q := g.startQUIC(t, w)
			paths := []netip.Addr{w.client(), w.client(), w.normal()}
			var clients []*quic.Transport
			for _, from := range paths {
				clients = append(clients, quicTransport(t, listenUDP(t, g.Client, netip.AddrPortFrom(from, 0))))
			}
			conn := q.dial(t, clients[0], w.dest(0))
			stream, err := conn.OpenStreamSync(q.ctx)
			if err != nil {
				t.Fatal(err)
			}
			server := q.accept(t)
			for i, client := range clients {
				if i > 0 {
					migrate(t, q.ctx, conn, client)
				}
				if err := quicEcho(stream, i); err != nil {
					t.Fatalf("path %d: %v", i, err)
				}
				seen := func() error { return s.checkUDP(w, udpAddr(client.Conn.LocalAddr()), udpAddr(server.RemoteAddr())) }
				if !eventually(quicIdle/2, func() bool { return seen() == nil }) { // the server follows what it has probed
					t.Fatalf("path %d: %v", i, seen())
				}
			}
			if err := conn.CloseWithError(0, ""); err != nil {
				t.Error(err)
			}
		})
		if c := g.counters(t); c.number("dropped_send")+c.number("dropped_write_back")+c.number("dropped_truncated") > 0 {
			t.Errorf("sluice dropped datagrams: %v", c)
		}
	})
}

func udpAddr(a net.Addr) netip.AddrPort { return a.(*net.UDPAddr).AddrPort() }

// quicServer echoes every stream.
type quicServer struct {
	ctx   context.Context
	trust *tls.Config // of clients
	conns chan *quic.Conn
}

// startQUIC runs an echo server until the test ends.
func (g *gateway) startQUIC(t *testing.T, w way) *quicServer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	serve, trust := quicTLS(t)
	q := &quicServer{ctx: ctx, trust: trust, conns: make(chan *quic.Conn, 1)}
	ln, err := quicTransport(t, listenUDP(t, g.Server, w.dest(0))).Listen(serve, quicConfig())
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept(ctx)
			if err != nil {
				return
			}
			q.conns <- conn
			running.Go(func() {
				if stream, err := conn.AcceptStream(ctx); err == nil {
					_, _ = io.Copy(stream, stream) // the client misses what is missing
				}
			})
		}
	})
	t.Cleanup(func() { cancel(); _ = ln.Close(); running.Wait() })
	return q
}

func (q *quicServer) dial(t *testing.T, from *quic.Transport, to netip.AddrPort) *quic.Conn {
	t.Helper()
	conn, err := from.Dial(q.ctx, net.UDPAddrFromAddrPort(to), q.trust, quicConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	return conn
}

func (q *quicServer) accept(t *testing.T) *quic.Conn {
	t.Helper()
	select {
	case conn := <-q.conns:
		return conn
	case <-q.ctx.Done():
		t.Fatal("the server has no connection")
		return nil
	}
}

// quicTransport has a socket's connections; they end with the test, before it.
func quicTransport(t *testing.T, socket *net.UDPConn) *quic.Transport {
	_ = socket.SetDeadline(time.Time{})
	tr := &quic.Transport{Conn: socket}
	t.Cleanup(func() { _ = tr.Close() })
	return tr
}

// migrate moves a connection to another socket of the client.
func migrate(t *testing.T, ctx context.Context, conn *quic.Conn, to *quic.Transport) {
	t.Helper()
	path, err := conn.AddPath(to)
	if err == nil {
		err = path.Probe(ctx)
	}
	if err == nil {
		err = path.Switch()
	}
	if err != nil {
		t.Fatalf("to another path: %v", err)
	}
}

// quicEcho sends a part and asserts that the same comes back.
func quicEcho(stream *quic.Stream, i int) error {
	want := payload(quicPart + i)
	sent := make(chan error, 1)
	go func() {
		_, err := stream.Write(want)
		sent <- err
	}()
	got := make([]byte, len(want))
	n, err := io.ReadFull(stream, got)
	if err != nil {
		stream.CancelWrite(0)
	}
	if err = errors.Join(err, <-sent); err != nil {
		return fmt.Errorf("%d bytes of %d came back: %w", n, len(want), err)
	}
	if !bytes.Equal(got, want) {
		return errors.New("other bytes came back")
	}
	return nil
}

func quicConfig() *quic.Config {
	return &quic.Config{MaxIdleTimeout: quicIdle, HandshakeIdleTimeout: patience}
}

// quicTLS is a server's certificate, and clients that trust it.
func quicTLS(t *testing.T) (serve, trust *tls.Config) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"server.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, form, form, public, private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	protocols := []string{quicProtocol}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: private}}, NextProtos: protocols},
		&tls.Config{RootCAs: roots, ServerName: "server.test", NextProtos: protocols}
}
