package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"sluice/bench/dgram"
)

// Options shape a server.
type Options struct {
	// Listen holds the addresses; each serves TCP and UDP. Port 0 picks one.
	Listen []netip.AddrPort
	// Threads is the number of UDP sockets, each with a goroutine, per address.
	// 0: one.
	Threads int
}

// Any is the options' Listen for a port on every address of both families.
func Any(port uint16) []netip.AddrPort {
	return []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), port), netip.AddrPortFrom(netip.IPv6Unspecified(), port)}
}

const (
	// pollInterval is how often a UDP goroutine looks whether the server has closed.
	pollInterval = 100 * time.Millisecond
	// udpBuffer is the size of each UDP socket's kernel buffers, in bytes.
	udpBuffer = 8 << 20
)

// Server is a running server.
type Server struct {
	Addrs []netip.AddrPort // as bound

	listeners []net.Listener
	sockets   []dgram.Socket
	ledger    *ledger
	reactors  *reactors
	lasting   int // requests before a connection moves to the reactors
	running   sync.WaitGroup
	closed    atomic.Bool
	mu        sync.Mutex // guards conns
	conns     map[net.Conn]struct{}
}

// Listen opens every address and serves until Close. The sockets belong to the
// network namespace of the calling thread: inside lab.Namespace.Do, to the lab's.
// An IPv6 address is left out where the kernel has no IPv6 and another remains.
func Listen(o Options) (*Server, error) { return listen(o, lasting) }

func listen(o Options, lasting int) (*Server, error) {
	s := &Server{ledger: newLedger(), lasting: lasting, conns: map[net.Conn]struct{}{}}
	for _, addr := range o.Listen {
		err := s.open(addr, max(1, o.Threads))
		if errors.Is(err, unix.EAFNOSUPPORT) && addr.Addr().Is6() && len(o.Listen) > 1 {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	var err error
	if s.reactors, err = s.startReactors(); err != nil {
		return nil, errors.Join(fmt.Errorf("serve: event loops: %w", err), s.Close())
	}
	for _, ln := range s.listeners {
		s.running.Go(func() { s.accept(ln) })
	}
	for _, sock := range s.sockets {
		s.running.Go(func() { s.serveUDP(sock) })
	}
	return s, nil
}

func (s *Server) open(addr netip.AddrPort, threads int) error {
	network := "tcp4"
	if addr.Addr().Is6() {
		network = "tcp6"
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // what is measured is TCP
	ln, err := lc.Listen(context.Background(), network, addr.String())
	if err != nil {
		return err
	}
	s.listeners = append(s.listeners, ln)
	addr = netip.AddrPortFrom(addr.Addr(), uint16(ln.Addr().(*net.TCPAddr).Port))
	for range threads {
		sock, err := dgram.Open(dgram.Config{Local: addr, ReusePort: true, ToAddress: true, GRO: true,
			Blocking: true, Timeout: pollInterval, BufferSize: udpBuffer})
		if err != nil {
			return fmt.Errorf("serve: %w", err)
		}
		s.sockets = append(s.sockets, sock)
	}
	s.Addrs = append(s.Addrs, addr)
	return nil
}

// Close ends every connection and returns when nothing runs any more.
func (s *Server) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	for _, ln := range s.listeners {
		_ = ln.Close() // nothing was written to it
	}
	s.mu.Lock()
	for conn := range s.conns {
		_ = conn.Close() // its goroutine ends with the error
	}
	s.mu.Unlock()
	s.running.Wait()
	var errs []error
	if s.reactors != nil { // nothing moves to them any more, which would wait for them
		errs = append(errs, s.reactors.pool.Stop())
	}
	for _, sock := range s.sockets {
		errs = append(errs, sock.Close())
	}
	return errors.Join(errs...)
}

// enter serves a connection on a goroutine of its own and closes it then, and Close
// ends it before; false once closed, when the caller closes it.
func (s *Server) enter(conn net.Conn, serve func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed.Load() {
		return false
	}
	s.conns[conn] = struct{}{}
	s.running.Go(func() {
		defer s.leave(conn)
		serve()
	})
	return true
}

func (s *Server) leave(conn net.Conn) {
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
	_ = conn.Close() // all that matters was said before
}
