package compare

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"sluice/bench/lab"
)

// socksServer is as much of SOCKS5 (RFC 1928) as redsocks asks for: CONNECT to an
// IPv4 address, without authentication.
type socksServer struct {
	ln      net.Listener
	dials   chan *socksDial
	running sync.WaitGroup // the accept loop and the connections
	dialing sync.WaitGroup // the dialers
	mu      sync.Mutex     // guards conns
	conns   map[net.Conn]struct{}
}

// socksDial is a wish for a connection; done is closed when it is answered.
type socksDial struct {
	dest netip.AddrPort
	conn *net.TCPConn
	err  error
	done chan struct{}
}

// socksDialers is how many threads stay inside the namespace and dial.
const socksDialers = 8

func newSocksServer(ns *lab.Namespace, port uint16) (*socksServer, error) {
	s := &socksServer{dials: make(chan *socksDial), conns: map[net.Conn]struct{}{}}
	err := ns.Do(func() (err error) {
		s.ln, err = net.Listen("tcp4", fmt.Sprintf(":%d", port))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("socks server: %w", err)
	}
	s.running.Go(s.accept)
	for range socksDialers {
		s.dialing.Go(func() { _ = ns.Do(s.dial) }) // where the namespace cannot be entered, others dial
	}
	return s, nil
}

// dial serves wishes on the thread that it is called on.
func (s *socksServer) dial() error {
	for d := range s.dials {
		d.conn, d.err = net.DialTCP("tcp4", nil, net.TCPAddrFromAddrPort(d.dest))
		close(d.done)
	}
	return nil
}

func (s *socksServer) accept() {
	for {
		conn, err := s.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			s.running.Go(func() { s.carry(conn.(*net.TCPConn)) })
		}
	}
}

// carry serves one client to the end of both directions. What fails shows at the
// client's other end.
func (s *socksServer) carry(client *net.TCPConn) {
	defer s.hold(client)()
	dest, err := socksRequest(client)
	if err != nil {
		return
	}
	d := &socksDial{dest: dest, done: make(chan struct{})}
	s.dials <- d
	<-d.done
	const succeeded, refused = 0, 5
	answer := []byte{5, succeeded, 0, 1, 0, 0, 0, 0, 0, 0}
	if d.err != nil {
		answer[1] = refused
		_, _ = client.Write(answer)
		return
	}
	defer s.hold(d.conn)()
	if _, err := client.Write(answer); err != nil {
		return
	}
	var up sync.WaitGroup
	up.Go(func() { pipe(d.conn, client) })
	pipe(client, d.conn)
	up.Wait()
}

// pipe moves one direction (by splice) and hands its end on: FIN as FIN, a failure
// as a reset.
func pipe(dst, src *net.TCPConn) {
	if _, err := io.Copy(dst, src); err != nil {
		_ = dst.SetLinger(0)
		_ = dst.Close()
		return
	}
	_ = dst.CloseWrite()
}

// hold notes a connection so that close reaches it; the function that it returns
// closes it.
func (s *socksServer) hold(c net.Conn) (release func()) {
	s.mu.Lock()
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		_ = c.Close()
	}
}

func (s *socksServer) close() error {
	err := s.ln.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	close(s.dials)
	s.dialing.Wait()
	return err
}

// socksRequest reads the greeting and the request, and answers the greeting.
func socksRequest(rw io.ReadWriter) (netip.AddrPort, error) {
	b := make([]byte, 255)
	if _, err := io.ReadFull(rw, b[:2]); err != nil {
		return netip.AddrPort{}, err
	}
	if _, err := io.ReadFull(rw, b[:b[1]]); err != nil { // the methods; none is asked for
		return netip.AddrPort{}, err
	}
	if _, err := rw.Write([]byte{5, 0}); err != nil {
		return netip.AddrPort{}, err
	}
	if _, err := io.ReadFull(rw, b[:10]); err != nil {
		return netip.AddrPort{}, err
	}
	if b[0] != 5 || b[1] != 1 || b[3] != 1 {
		return netip.AddrPort{}, fmt.Errorf("socks request % x: want CONNECT to an IPv4 address", b[:4])
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[8:10])), nil
}
